/* new.c: C++'s replaceable allocation functions, all 20 of them, without depending on a C++ library: written under their
 * mangled names (Itanium C++ ABI, 64-bit size_t: m), with weak references to the two functions of the C++ runtime that
 * they need. Built with -fexceptions, so that an exception passes through.
 *
 * [new.delete.single], [new.delete.array]: on failure the new-handler is called until there is memory or no handler;
 * then std::bad_alloc is thrown, or NULL returned by the nothrow forms. */
#include "base/check.h"
#include "override/override.h"

typedef void new_handler(void);

/* std::get_new_handler(), std::__throw_bad_alloc() */
extern new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
_Noreturn extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));

/* Call the new-handler. Returns: false iff there is none. */
static bool call_new_handler(void) {
    new_handler *handler = _ZSt15get_new_handlerv != 0 ? _ZSt15get_new_handlerv() : 0;
    if (handler == 0)
        return false;
    handler();
    return true;
}

_Noreturn static EMMA_COLD void throw_bad_alloc(size_t size) {
    if (_ZSt17__throw_bad_allocv != 0)
        _ZSt17__throw_bad_allocv();
    emma__fatal("operator new: out of memory, and no C++ runtime to throw bad_alloc; size", size);
}

static EMMA_COLD void *new_slow(size_t size, emma_magazine_pair *cache) {
    void *block = emma__override_malloc_slow(size, cache);
    while (block == 0) {
        if (!call_new_handler())
            throw_bad_alloc(size);
        block = emma__override_malloc(size);
    }
    return block;
}

static void *new_aligned(size_t size, size_t align) {
    for (;;) {
        void *block = emma__override_aligned(align, size);
        if (block != 0)
            return block;
        if (!call_new_handler())
            throw_bad_alloc(size);
    }
}

/* The nothrow forms: a handler that throws (bad_alloc) ends in NULL in C++; here the handler's exception cannot be caught
 * in C, so it is called through the throwing form only when it exists, and its exception passes on. */
static void *new_nothrow(size_t size) {
    for (;;) {
        void *block = emma__override_malloc(size);
        if (block != 0 || !call_new_handler())
            return block;
    }
}

static void *new_aligned_nothrow(size_t size, size_t align) {
    for (;;) {
        void *block = emma__override_aligned(align, size);
        if (block != 0 || !call_new_handler())
            return block;
    }
}

#define NEW(name)                                                                                                      \
    EMMA_EXPORT void *name(size_t size);                                                                               \
    void *name(size_t size) {                                                                                          \
        return emma__fast_malloc(size, new_slow);                                                                      \
    }
#define NEW_NOTHROW(name)                                                                                              \
    EMMA_EXPORT void *name(size_t size, const void *nothrow);                                                          \
    void *name(size_t size, const void *nothrow) {                                                                     \
        (void)nothrow;                                                                                                 \
        return new_nothrow(size);                                                                                      \
    }
#define NEW_ALIGNED(name)                                                                                              \
    EMMA_EXPORT void *name(size_t size, size_t align);                                                                 \
    void *name(size_t size, size_t align) {                                                                            \
        return new_aligned(size, align);                                                                               \
    }
#define NEW_ALIGNED_NOTHROW(name)                                                                                      \
    EMMA_EXPORT void *name(size_t size, size_t align, const void *nothrow);                                            \
    void *name(size_t size, size_t align, const void *nothrow) {                                                       \
        (void)nothrow;                                                                                                 \
        return new_aligned_nothrow(size, align);                                                                       \
    }

/* What the further parameters say (size, alignment, nothrow) the block's own span says better. */
#define DELETE(name, ...)                                                                                              \
    EMMA_EXPORT void name(void *block, __VA_ARGS__);                                                                   \
    void name(void *block, __VA_ARGS__) {                                                                              \
        emma__override_free(block);                                                                                    \
    }

NEW(_Znwm)
NEW(_Znam)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

EMMA_EXPORT void _ZdlPv(void *block);
void _ZdlPv(void *block) {
    emma__override_free(block);
}

EMMA_EXPORT void _ZdaPv(void *block);
void _ZdaPv(void *block) {
    emma__override_free(block);
}

DELETE(_ZdlPvm, size_t EMMA_UNUSED size)
DELETE(_ZdaPvm, size_t EMMA_UNUSED size)
DELETE(_ZdlPvRKSt9nothrow_t, const void EMMA_UNUSED *nothrow)
DELETE(_ZdaPvRKSt9nothrow_t, const void EMMA_UNUSED *nothrow)
DELETE(_ZdlPvSt11align_val_t, size_t EMMA_UNUSED align)
DELETE(_ZdaPvSt11align_val_t, size_t EMMA_UNUSED align)
DELETE(_ZdlPvmSt11align_val_t, size_t EMMA_UNUSED size, size_t EMMA_UNUSED align)
DELETE(_ZdaPvmSt11align_val_t, size_t EMMA_UNUSED size, size_t EMMA_UNUSED align)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, size_t EMMA_UNUSED align, const void EMMA_UNUSED *nothrow)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, size_t EMMA_UNUSED align, const void EMMA_UNUSED *nothrow)
