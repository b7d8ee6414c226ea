/* new.c: C++'s replaceable allocation functions, all 20 of them, without depending on a C++ library: written under
 * their mangled names (Itanium C++ ABI, 64-bit size_t: m), with weak references to what they need of the C++ runtime.
 * Built with -fexceptions, so that an exception passes through.
 *
 * [new.delete]: four functions do the work: new, aligned new, delete, aligned delete. The others call the one that the
 * standard says, through its public name: a program may replace some of them and finds its own called.
 *
 * On failure new calls the new-handler until there is memory or no handler, then throws std::bad_alloc. The nothrow
 * forms have to catch what a handler throws, which C cannot: where it comes to that, they call the runtime's own. */
#include <dlfcn.h>

#include "base/check.h"
#include "override/override.h"

// NOLINTBEGIN(bugprone-reserved-identifier): these are the names

/* std::get_new_handler(), std::__throw_bad_alloc(); dlsym is missing in static programs. */
typedef void new_handler(void);
extern new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
_Noreturn extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));
#pragma weak dlsym

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

static EMMA_NOINLINE void *new_slow(size_t size, emma_magazine_pair *cache) {
    void *block = emma__override_malloc_slow(size, cache);
    while (block == 0) {
        if (!call_new_handler())
            throw_bad_alloc(size);
        block = emma__override_malloc(size);
    }
    return block;
}

EMMA_EXPORT void *_Znwm(size_t size);
void *_Znwm(size_t size) {
    return emma__fast_malloc(size, new_slow);
}

EMMA_EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t align);
void *_ZnwmSt11align_val_t(size_t size, size_t align) {
    for (;;) {
        void *block = emma__override_aligned(align, size);
        if (block != 0)
            return block;
        if (!call_new_handler())
            throw_bad_alloc(size);
    }
}

EMMA_EXPORT void _ZdlPv(void *block);
void _ZdlPv(void *block) {
    emma__override_free(block);
}

EMMA_EXPORT void _ZdlPvSt11align_val_t(void *block, size_t align);
void _ZdlPvSt11align_val_t(void *block, size_t align) {
    (void)align;
    emma__override_free(block);
}

EMMA_EXPORT void *_Znam(size_t size);
void *_Znam(size_t size) {
    return _Znwm(size);
}

EMMA_EXPORT void *_ZnamSt11align_val_t(size_t size, size_t align);
void *_ZnamSt11align_val_t(size_t size, size_t align) {
    return _ZnwmSt11align_val_t(size, align);
}

/* What these names mean as long as nobody replaces them. */
extern void *emma__own_new(size_t size) __attribute__((alias("_Znwm"), visibility("hidden")));
extern void *emma__own_new_array(size_t size) __attribute__((alias("_Znam"), visibility("hidden")));

/* The runtime's own nothrow form: it calls the throwing form, which may be the program's, and catches. */
static EMMA_COLD void *new_by_runtime(const char *name, size_t size, const void *nothrow) {
    void *(*next)(size_t, const void *) = 0;
    if (dlsym != 0)
        *(void **)&next = dlsym(RTLD_NEXT, name);
    if (next != 0)
        return next(size, nothrow);
    void *block = emma__override_malloc(size);
    while (block == 0 && call_new_handler())
        block = emma__override_malloc(size);
    return block;
}

static EMMA_COLD void *new_aligned_by_runtime(const char *name, size_t size, size_t align, const void *nothrow) {
    void *(*next)(size_t, size_t, const void *) = 0;
    if (dlsym != 0)
        *(void **)&next = dlsym(RTLD_NEXT, name);
    if (next != 0)
        return next(size, align, nothrow);
    void *block = emma__override_aligned(align, size);
    while (block == 0 && call_new_handler())
        block = emma__override_aligned(align, size);
    return block;
}

EMMA_EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow) {
    void *block = _Znwm == emma__own_new ? emma__override_malloc(size) : 0;
    return block != 0 ? block : new_by_runtime("_ZnwmRKSt9nothrow_t", size, nothrow);
}

EMMA_EXPORT void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow) {
    bool is_own = _Znam == emma__own_new_array && _Znwm == emma__own_new;
    void *block = is_own ? emma__override_malloc(size) : 0;
    return block != 0 ? block : new_by_runtime("_ZnamRKSt9nothrow_t", size, nothrow);
}

EMMA_EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow) {
    return new_aligned_by_runtime("_ZnwmSt11align_val_tRKSt9nothrow_t", size, align, nothrow);
}

EMMA_EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow) {
    return new_aligned_by_runtime("_ZnamSt11align_val_tRKSt9nothrow_t", size, align, nothrow);
}

/* The other forms of delete: each calls the one with its last argument less. */
#define DELETE(name, calls, ...)                                                                                       \
    EMMA_EXPORT void name(void *block, __VA_ARGS__);                                                                   \
    void name(void *block, __VA_ARGS__) {                                                                              \
        calls;                                                                                                         \
    }

EMMA_EXPORT void _ZdaPv(void *block);
void _ZdaPv(void *block) {
    _ZdlPv(block);
}

DELETE(_ZdlPvm, _ZdlPv(block), size_t EMMA_UNUSED size)
DELETE(_ZdaPvm, _ZdaPv(block), size_t EMMA_UNUSED size)
DELETE(_ZdlPvRKSt9nothrow_t, _ZdlPv(block), const void EMMA_UNUSED *nothrow)
DELETE(_ZdaPvRKSt9nothrow_t, _ZdaPv(block), const void EMMA_UNUSED *nothrow)
DELETE(_ZdaPvSt11align_val_t, _ZdlPvSt11align_val_t(block, align), size_t align)
DELETE(_ZdlPvmSt11align_val_t, _ZdlPvSt11align_val_t(block, align), size_t EMMA_UNUSED size, size_t align)
DELETE(_ZdaPvmSt11align_val_t, _ZdaPvSt11align_val_t(block, align), size_t EMMA_UNUSED size, size_t align)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdlPvSt11align_val_t(block, align), size_t align,
       const void EMMA_UNUSED *nothrow)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_t(block, align), size_t align,
       const void EMMA_UNUSED *nothrow)

// NOLINTEND(bugprone-reserved-identifier)
