#include <stdio.h>
#include <time.h>
typedef float vec __attribute__((vector_size(64)));
int main(void) {
    vec sums[16]; vec factor, term;
    for (int lane = 0; lane < 16; lane++) { factor[lane] = 0.999f; term[lane] = 0.001f; }
    for (int chain = 0; chain < 16; chain++) sums[chain] = term * (float)chain;
    double best = 0;
    for (int trial = 0; trial < 5; trial++) {
        struct timespec a, b;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        long turns = 10000000;
        for (long turn = 0; turn < turns; turn++) {
            #pragma GCC unroll 16
            for (int chain = 0; chain < 16; chain++) sums[chain] = sums[chain] * factor + term;
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        double seconds = (b.tv_sec - a.tv_sec) + 1e-9 * (b.tv_nsec - a.tv_nsec);
        double rate = 2.0 * 16 * 16 * turns / seconds;
        if (rate > best) best = rate;
    }
    float total = 0;
    for (int chain = 0; chain < 16; chain++) for (int lane = 0; lane < 16; lane++) total += sums[chain][lane];
    printf("%.6g %g\n", best, total);
}
