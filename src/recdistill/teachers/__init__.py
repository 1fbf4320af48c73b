"""Teachers: anything that can speak about a context. One file a kind; one way to label."""

from __future__ import annotations

from recdistill.teachers.besides import besides
from recdistill.teachers.causal_lm import CausalLMConfig, CausalLMTeacher
from recdistill.teachers.chat import ChatConfig, ChatTeacher
from recdistill.teachers.contract import Teacher
from recdistill.teachers.ensemble import (
    EnsembleConfig,
    EnsembleTeacher,
    TeacherConfig,
    never_says,
)
from recdistill.teachers.file import FileConfig, FileTeacher
from recdistill.teachers.file_vectors import FileVectorsConfig, FileVectorsTeacher
from recdistill.teachers.labelling import label
from recdistill.teachers.loading import load_teacher, make_teacher
from recdistill.teachers.recommender import RecommenderTeacher, RecommenderTeacherConfig
from recdistill.teachers.text_encoder import (
    FeaturesConfig,
    FeatureTeacher,
    TextEncoderConfig,
    TextEncoderTeacher,
)
from recdistill.teachers.transfer import TransferConfig, TransferTeacher

__all__ = [
    "CausalLMConfig",
    "CausalLMTeacher",
    "ChatConfig",
    "ChatTeacher",
    "EnsembleConfig",
    "EnsembleTeacher",
    "FeatureTeacher",
    "FeaturesConfig",
    "FileConfig",
    "FileTeacher",
    "FileVectorsConfig",
    "FileVectorsTeacher",
    "RecommenderTeacher",
    "RecommenderTeacherConfig",
    "Teacher",
    "TeacherConfig",
    "TextEncoderConfig",
    "TextEncoderTeacher",
    "TransferConfig",
    "TransferTeacher",
    "besides",
    "label",
    "load_teacher",
    "make_teacher",
    "never_says",
]
