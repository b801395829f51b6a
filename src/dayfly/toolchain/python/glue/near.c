/* One page for what every request writes to: the top of the C stack, what the glue keeps, the interpreter's state of
   the thread, and the first Python frames.

   The stack ends where the module's data begins. Its top is lowered once, and what would be somewhere in the heap gets
   that room: the interpreter is asked for a second state of its thread, which it uses from then on, and its allocators
   are replaced for as long as it makes that and the first piece of its stack of frames. */

#include "host.h"
#include "python.h"

enum {
    PAGE = 4096,
    /* Of the C stack, in the page: what a request needs that calls nothing but Python functions. */
    STACK_BYTES = 1280,
    FRAMES_BYTES = 16 << 10,
    ROOM_BYTES = 20 << 10,
};
_Static_assert(PAGE + FRAMES_BYTES <= ROOM_BYTES, "the frames begin in the page");

static uint8_t *next, *end;
static struct allocator usual_raw;
static struct arena_allocator usual_arena;

static void *take(size_t size) {
    size_t rounded = (size + 7) & ~(size_t)7;
    if (rounded > (size_t)(end - next))
        return NULL;
    uint8_t *taken = next;
    next += rounded;
    return taken;
}

static int is_here(const void *at) {
    return (const uint8_t *)at >= end - ROOM_BYTES && (const uint8_t *)at < end;
}

static void *raw_calloc(void *context, size_t count, size_t size) {
    (void)context;
    void *taken = take(count * size);
    if (taken == NULL)
        return usual_raw.calloc(usual_raw.context, count, size);
    memset(taken, 0, count * size);
    return taken;
}

static void *frames(void *context, size_t size) {
    (void)context;
    void *taken = size == FRAMES_BYTES ? take(size) : NULL;
    return taken ? taken : usual_arena.alloc(usual_arena.context, size);
}

static void release_frames(void *context, void *at, size_t size) {
    (void)context;
    if (!is_here(at))
        usual_arena.free(usual_arena.context, at, size);
}

/* Called by functions that have no frame of their own: it would be where it was when they return. */
__attribute__((noinline)) void make_room_near(void) {
    uint8_t *top;
    __asm__ volatile(".globaltype __stack_pointer, i32\n"
                     "global.get __stack_pointer\n"
                     "local.set %0"
                     : "=r"(top));
    if ((uintptr_t)top % PAGE)
        __builtin_trap();
    end = top;
    next = top - ROOM_BYTES + STACK_BYTES;
    __asm__ volatile("local.get %0\n"
                     "global.set __stack_pointer"
                     :
                     : "r"(next));
}

void *room_near(size_t size) {
    void *taken = take(size);
    if (taken == NULL)
        __builtin_trap();
    return taken;
}

void move_thread(void) {
    PyMem_GetAllocator(RAW, &usual_raw);
    PyObject_GetArenaAllocator(&usual_arena);
    struct allocator raw = usual_raw;
    raw.calloc = raw_calloc;
    PyMem_SetAllocator(RAW, &raw);
    struct thread_state *state = PyThreadState_New(PyInterpreterState_Get());
    PyMem_SetAllocator(RAW, &usual_raw);
    /* It stays: a piece of the stack that is here is never given back to the heap. */
    PyObject_SetArenaAllocator(&(struct arena_allocator){ NULL, frames, release_frames });
    PyThreadState_Swap(state);
}

/* What was freed here before is no part of a snapshot. Most of it is zero, and is not written again: each page that is
   costs a fault, and memory in the snapshot. */
void clear(char *at, size_t size) {
    enum { WORDS = 8 };
    uint64_t *words = (uint64_t *)at;
    for (size_t i = 0; i + WORDS <= size / sizeof *words; i += WORDS) {
        uint64_t any = 0;
        for (size_t j = i; j < i + WORDS; j++)
            any |= words[j];
        if (any)
            memset(&words[i], 0, WORDS * sizeof *words);
    }
    size_t rest = size % (WORDS * sizeof *words);
    memset(at + size - rest, 0, rest);
}

/* Not of whoever calls: of what has returned. */
__attribute__((noinline)) void clear_stack(void) {
    enum { LOWEST = 16 };
    uintptr_t top;
    __asm__ volatile(".globaltype __stack_pointer, i32\n"
                     "global.get __stack_pointer\n"
                     "local.set %0"
                     : "=r"(top));
    clear((char *)LOWEST, top - LOWEST);
}
