// operators_test.cc: C++'s 20 replaceable allocation functions, the new-handler, bad_alloc. Run preloaded, and linked
// statically (OPERATORS_STATIC) with libemma-malloc.a and libemma-malloc.o.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

// Clang declares these only if asked to.
void operator delete(void *block, std::size_t size) noexcept;
void operator delete[](void *block, std::size_t size) noexcept;
void operator delete(void *block, std::size_t size, std::align_val_t align) noexcept;
void operator delete[](void *block, std::size_t size, std::align_val_t align) noexcept;

extern "C" int emma_owns(const void *address) noexcept __attribute__((weak));

namespace {

unsigned cases = 0;
unsigned failures = 0;
bool good = true;
unsigned checks = 0;

void expect(bool condition, const char *text, int line) {
    checks++;
    if (condition)
        return;
    good = false;
    std::printf("# line %d: not so: %s\n", line, text);
}
#define EXPECT(condition) expect(condition, #condition, __LINE__)

void end_case(const char *name) {
    good = good && checks != 0;
    failures += good ? 0 : 1;
    std::printf("%sok %u - %s\n", good ? "" : "not ", ++cases, name);
    good = true;
    checks = 0;
}

void skip_case(const char *name, const char *reason) {
    std::printf("ok %u - %s # SKIP %s\n", ++cases, name, reason);
}

#ifdef OPERATORS_STATIC
const bool is_static = true;
#else
const bool is_static = false;
#endif

const std::size_t sizes[] = {0, 1, 16, 100, 1000, 5000, 40000, 1 << 20, 70 << 20};
const std::size_t aligns[] = {1, 8, 16, 32, 64, 4096, 65536, 1 << 21};
volatile std::size_t too_much = PTRDIFF_MAX;

// A block of emma's, as long as asked for.
bool is_sound(void *block, std::size_t size, std::size_t align) {
    if (block == nullptr || emma_owns == nullptr || emma_owns(block) != 1 ||
        reinterpret_cast<std::uintptr_t>(block) % align != 0)
        return false;
    std::memset(block, 0x5A, size < 4096 ? size : 4096);
    return true;
}

void plain() {
    for (std::size_t size : sizes) {
        void *single[4] = {::operator new(size), ::operator new(size), ::operator new(size, std::nothrow),
                           ::operator new(size, std::nothrow)};
        void *array[4] = {::operator new[](size), ::operator new[](size), ::operator new[](size, std::nothrow),
                          ::operator new[](size, std::nothrow)};
        for (int i = 0; i < 4; i++)
            EXPECT(is_sound(single[i], size, 16) && is_sound(array[i], size, 16));
        EXPECT(single[0] != single[1] && array[0] != array[1]);
        ::operator delete(single[0]);
        ::operator delete(single[1], size);
        ::operator delete(single[2], std::nothrow);
        ::operator delete(single[3]);
        ::operator delete[](array[0]);
        ::operator delete[](array[1], size);
        ::operator delete[](array[2], std::nothrow);
        ::operator delete[](array[3]);
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    end_case("plain, sized and nothrow forms");
}

void aligned() {
    for (std::size_t size : sizes)
        for (std::size_t align : aligns) {
            auto a = std::align_val_t(align);
            void *single[3] = {::operator new(size, a), ::operator new(size, a), ::operator new(size, a, std::nothrow)};
            void *array[3] = {::operator new[](size, a), ::operator new[](size, a),
                              ::operator new[](size, a, std::nothrow)};
            for (int i = 0; i < 3; i++)
                EXPECT(is_sound(single[i], size, align) && is_sound(array[i], size, align));
            ::operator delete(single[0], a);
            ::operator delete(single[1], size, a);
            ::operator delete(single[2], a, std::nothrow);
            ::operator delete[](array[0], a);
            ::operator delete[](array[1], size, a);
            ::operator delete[](array[2], a, std::nothrow);
        }
    end_case("aligned forms");
}

// Whether a call throws bad_alloc.
template <class F> bool throws(F function) {
    try {
        function();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

void failing() {
    auto a = std::align_val_t(64);
    EXPECT(throws([] { ::operator delete(::operator new(too_much)); }));
    EXPECT(throws([] { ::operator delete[](::operator new[](too_much)); }));
    EXPECT(throws([a] { ::operator delete(::operator new(too_much, a), a); }));
    EXPECT(throws([a] { ::operator delete[](::operator new[](too_much, a), a); }));
    EXPECT(::operator new(too_much, std::nothrow) == nullptr);
    EXPECT(::operator new[](too_much, std::nothrow) == nullptr);
    EXPECT(::operator new(too_much, a, std::nothrow) == nullptr);
    EXPECT(::operator new[](too_much, a, std::nothrow) == nullptr);
    EXPECT(throws([] { std::vector<std::string> v(too_much / 64); }));
    end_case("bad_alloc, or NULL from the nothrow forms");
}

unsigned handler_calls = 0;

// As programs do: frees something, a few times; then gives up.
void patient() {
    if (++handler_calls == 3)
        std::set_new_handler(nullptr);
}

struct told : std::bad_alloc {};

void throwing() {
    handler_calls++;
    throw told();
}

template <class F> unsigned calls_of(F function) {
    handler_calls = 0;
    std::set_new_handler(patient);
    function();
    std::set_new_handler(nullptr);
    return handler_calls;
}

void handlers() {
    auto a = std::align_val_t(4096);
    EXPECT(calls_of([] { EXPECT(throws([] { ::operator delete(::operator new(too_much)); })); }) == 3);
    EXPECT(calls_of([] { EXPECT(throws([] { ::operator delete[](::operator new[](too_much)); })); }) == 3);
    EXPECT(calls_of([a] { EXPECT(throws([a] { ::operator delete(::operator new(too_much, a), a); })); }) == 3);
    EXPECT(calls_of([] { EXPECT(::operator new(too_much, std::nothrow) == nullptr); }) == 3);
    EXPECT(calls_of([a] { EXPECT(::operator new(too_much, a, std::nothrow) == nullptr); }) == 3);
    EXPECT(calls_of([] { ::operator delete(::operator new(10)); }) == 0);
    end_case("the new-handler is called until there is none");

    handler_calls = 0;
    std::set_new_handler(throwing);
    bool caught = false;
    try {
        ::operator delete(::operator new(too_much));
    } catch (const told &) {
        caught = true;
    }
    EXPECT(caught && handler_calls == 1);
    end_case("what the new-handler throws is passed on");

    if (is_static) { // docs/BEHAVIOUR.md
        std::set_new_handler(nullptr);
        skip_case("what the new-handler throws is NULL from the nothrow forms", "not in static programs");
        return;
    }
    EXPECT(::operator new(too_much, std::nothrow) == nullptr &&handler_calls == 2);
    EXPECT(::operator new[](too_much, a, std::nothrow) == nullptr &&handler_calls == 3);
    std::set_new_handler(nullptr);
    end_case("what the new-handler throws is NULL from the nothrow forms");
}

struct alignas(128) wide {
    char bytes[200];
};

void containers() {
    auto work = [] {
        std::map<int, std::string> names;
        std::vector<wide> wides;
        for (int i = 0; i < 20000; i++) {
            names[i * 7919 % 10007] += "a text that is longer than what a string holds in itself";
            if (i % 16 == 0)
                wides.emplace_back();
        }
        return names.size() + wides.size();
    };
    std::size_t results[4] = {};
    std::vector<std::thread> threads;
    for (auto &result : results)
        threads.emplace_back([&result, work] { result = work(); });
    for (auto &thread : threads)
        thread.join();
    for (auto result : results)
        EXPECT(result == results[0] && result > 10000);
    wide *one = new wide;
    EXPECT(reinterpret_cast<std::uintptr_t>(one) % 128 == 0);
    delete one;
    end_case("containers in four threads");
}

} // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    plain();
    aligned();
    failing();
    handlers();
    containers();
    std::printf("1..%u\n", cases);
    return failures != 0;
}
