// Compiles a function a second time for CPUs with AVX2 and FMA; the copy is chosen when the program starts. Only GCC
// can choose by the CPU's features, and only from version 12 on does it know the level x86-64-v3 ("arch=haswell" would
// match that CPU model alone).
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define LONGBOW_VECTOR_CLONES [[gnu::target_clones("arch=x86-64-v3", "default"), gnu::optimize("O3")]]
#elif defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LONGBOW_VECTOR_CLONES [[gnu::target_clones("avx2", "default"), gnu::optimize("O3")]]
#else
#define LONGBOW_VECTOR_CLONES
#endif
