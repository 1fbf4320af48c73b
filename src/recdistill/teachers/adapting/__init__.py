"""Fine-tuning of language models for a log.

What is trained of a model is settings (`settings`: an adapter, its upper layers, all of it) and done by one module
(`trained`); what it is trained for is a loss of the loop's (`contrastive`), over texts read with gradients (`reading`).
What became of the model is files (`adapters`, or a whole model) that whoever reads with it later names as its own.
"""
