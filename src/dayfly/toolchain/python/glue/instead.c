/* Functions of the interpreter, and of libraries in it, that others take the place of here: `dayfly_wasm::merge` has
   everybody call these, and gives them the originals. */

#include "host.h"
#include "python.h"

#define INSTEAD(name) EXPORT("dayfly:instead#" #name)
#define ORIGINAL(name) __attribute__((import_module("dayfly:replaced"), import_name(#name)))

/* -- how deep

   CPython ends recursion by looking at the C stack, which on WebAssembly is only what has an address. Most functions
   that destroy an object use nothing of it, so that a list of 20,000 lists overflowed the engine's stack instead: 240 to
   760 octets each. With room for every level CPython puts the rest off, as on other machines, after 21,000. */

enum { LEVEL_BYTES = 48 };

ORIGINAL(_Py_Dealloc) void original_dealloc(object *value);

static struct type *type_of(object *value) {
    return (struct type *)value->type;
}

/* Whether other objects can be within this one. */
static int can_hold(object *value) {
    return type_of(value)->flags & TYPE_HAS_GC;
}

INSTEAD(_Py_Dealloc) void dealloc(object *value) {
    if (!can_hold(value)) {
        type_of(value)->dealloc(value);
        return;
    }
    uint8_t level[LEVEL_BYTES];
    __asm__ volatile("" : : "r"(level) : "memory");
    original_dealloc(value);
    __asm__ volatile("" : : "r"(level) : "memory");
}

/* Three ways that look at no stack at all: on other machines they end the process. */

ORIGINAL(PyObject_Hash) ptrdiff_t original_hash(object *value);
ORIGINAL(_PyMarshal_WriteObjectToString) object *original_marshal(object *value, int version, int allow_code);
ORIGINAL(_elementtree_Element___deepcopy___impl) object *original_copy(object *element, object *memo);

/* Of tuples within tuples. Texts and numbers, which most keys are, hold nothing. */
INSTEAD(PyObject_Hash) ptrdiff_t hash(object *value) {
    if (!can_hold(value))
        return original_hash(value);
    if (Py_EnterRecursiveCall(" while hashing an object"))
        return -1;
    ptrdiff_t hashed = original_hash(value);
    Py_LeaveRecursiveCall();
    return hashed;
}

/* Of what is in a set, within other sets. */
INSTEAD(_PyMarshal_WriteObjectToString) object *marshal(object *value, int version, int allow_code) {
    if (Py_EnterRecursiveCall(" while marshalling an object"))
        return NULL;
    object *octets = original_marshal(value, version, allow_code);
    Py_LeaveRecursiveCall();
    return octets;
}

INSTEAD(_elementtree_Element___deepcopy___impl) object *copy(object *element, object *memo) {
    if (Py_EnterRecursiveCall(" while copying an element"))
        return NULL;
    object *copied = original_copy(element, memo);
    Py_LeaveRecursiveCall();
    return copied;
}

/* -- randomness that is not drawn anew

   SQLite seeds a generator of its own once, with what its file system offers: here nothing, so that `random()` was the
   same in every request of every program. */

INSTEAD(sqlite3_randomness) void sqlite_randomness(int length, void *to) {
    if (length <= 0 || to == NULL)
        return;
    drawn(CAPTURED_RANDOM);
    random_octets(to, (uint32_t)length);
}

/* -- waiting for another thread

   What locks and queues wait on. Nobody would ever end the wait: it is over when its time is, at once while freezing;
   and if it has no time, the interpreter is told that it was interrupted, and calls what raises the reason. */

enum { LOCK_FAILED, LOCK_ACQUIRED, LOCK_INTERRUPTED };
enum { PARK_TIMEOUT = -1, PARK_AGAIN = -2, PARK_INTERRUPTED = -3 };

static const char nobody[] = "waiting for another thread, and a sandbox has one thread: nothing would ever end the wait";

static uint32_t is_raised;

static int raise_nobody(void *nothing) {
    (void)nothing;
    is_raised = 0;
    PyErr_SetString(PyExc_RuntimeError, nobody);
    return -1;
}

static void interrupt(int is_heard) {
    if (!is_heard || is_raised || Py_AddPendingCall(raise_nobody, NULL)) {
        host_log(LEVEL_ERROR, nobody, sizeof nobody - 1);
        __builtin_trap();
    }
    is_raised = 1;
}

static void wait(int64_t nanoseconds) {
    if (!hot->is_freezing && nanoseconds > 0)
        host_sleep(nanoseconds);
}

ORIGINAL(PyThread_acquire_lock_timed) int original_acquire(void *lock, int64_t microseconds, int is_heard);

INSTEAD(PyThread_acquire_lock_timed) int acquire(void *lock, int64_t microseconds, int is_heard) {
    int status = original_acquire(lock, 0, 0);
    if (status == LOCK_ACQUIRED || microseconds == 0)
        return status;
    if (microseconds < 0) {
        interrupt(is_heard);
        return LOCK_INTERRUPTED;
    }
    wait(microseconds < INT64_MAX / 1000 ? microseconds * 1000 : INT64_MAX);
    return LOCK_FAILED;
}

INSTEAD(_PyParkingLot_Park)
int park(const void *at, const void *expected, size_t size, int64_t nanoseconds, void *with, int detach) {
    (void)with, (void)detach;
    if (memcmp(at, expected, size) != 0)
        return PARK_AGAIN;
    if (nanoseconds < 0) {
        interrupt(1);
        return PARK_INTERRUPTED;
    }
    wait(nanoseconds);
    return PARK_TIMEOUT;
}
