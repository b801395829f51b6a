/* What the glue uses of CPython 3.14 on wasm32. The wheel that CPython comes in has no headers. */
#ifndef DAYFLY_PYTHON_H
#define DAYFLY_PYTHON_H

#include <stddef.h>
#include <stdint.h>

struct interpreter;
struct thread_state;

typedef struct object {
    uint32_t references;
    struct object *type;
} object;

/* The beginning of a PyTypeObject. */
struct type {
    object head;
    ptrdiff_t size;
    const char *name;
    ptrdiff_t basic_size, item_size;
    void (*dealloc)(object *);
    void *functions[14];
    uint32_t flags;
};
_Static_assert(offsetof(struct type, flags) == 84, "as CPython 3.14 has it on a machine of 32 bits");
enum { TYPE_HAS_GC = 1 << 14 };

typedef object *(*vector_function)(object *self, object *const *arguments, ptrdiff_t count);

/* The part of a PyCodeObject that all objects of variable size have; its units lie at `tp_basicsize`. */
struct code {
    object head;
    ptrdiff_t units;
};
struct unit {
    uint8_t operation, argument;
};

/* PyMethodDef and its flag for `vector_function`. */
struct method {
    const char *name;
    vector_function function;
    int flags;
    const char *documentation;
};
enum { METH_FASTCALL = 0x80 };

/* Values that stand for "immortal" on a machine of 32 bits: never counted again. */
enum { IMMORTAL = 0x50000000, IMMORTAL_MIN = 0x40000000 };

extern object _Py_NoneStruct, _Py_TrueStruct, _Py_FalseStruct;
extern object PyBytes_Type, PyCode_Type, PyFunction_Type, PyTuple_Type, PyUnicode_Type;
extern object *PyExc_RuntimeError, *PyExc_TypeError, *PyExc_ValueError;

int PyGILState_Ensure(void);
struct thread_state *PyThreadState_GetUnchecked(void);
int Py_EnterRecursiveCall(const char *where);
void Py_LeaveRecursiveCall(void);
int Py_AddPendingCall(int (*function)(void *), void *argument);
struct thread_state *PyThreadState_New(struct interpreter *);
struct thread_state *PyThreadState_Swap(struct thread_state *);
struct interpreter *PyInterpreterState_Get(void);

/* PyMemAllocatorEx and PyObjectArenaAllocator. */
struct allocator {
    void *context;
    void *(*malloc)(void *context, size_t size);
    void *(*calloc)(void *context, size_t count, size_t size);
    void *(*realloc)(void *context, void *at, size_t size);
    void (*free)(void *context, void *at);
};
struct arena_allocator {
    void *context;
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *at, size_t size);
};
enum { RAW = 0 };
void PyMem_GetAllocator(int domain, struct allocator *);
void PyMem_SetAllocator(int domain, struct allocator *);
void PyObject_GetArenaAllocator(struct arena_allocator *);
void PyObject_SetArenaAllocator(struct arena_allocator *);

void _Py_Dealloc(object *);
object *PyObject_Vectorcall(object *callable, object *const *arguments, size_t count, object *names);
object *PyObject_CallNoArgs(object *callable);
object *PyObject_CallOneArg(object *callable, object *argument);
object *PyObject_GetAttrString(object *, const char *name);

object *PyImport_AddModuleRef(const char *name);
object *PyImport_ImportModule(const char *name);
int PyModule_AddFunctions(object *module, struct method *methods);

object *PyErr_GetRaisedException(void);
void PyErr_SetRaisedException(object *);
void PyErr_SetString(object *type, const char *text);
void PyErr_Clear(void);
object *PyErr_Occurred(void);

long long PyLong_AsLongLong(object *);
object *PyLong_FromLong(long);
object *PyLong_FromLongLong(long long);
object *PyBool_FromLong(long);

object *PyBytes_FromStringAndSize(const char *octets, ptrdiff_t length);
char *PyBytes_AsString(object *);
ptrdiff_t PyBytes_Size(object *);
int _PyBytes_Resize(object **, ptrdiff_t length);

object *PyUnicode_DecodeLatin1(const char *octets, ptrdiff_t length, const char *errors);
object *PyUnicode_FromStringAndSize(const char *octets, ptrdiff_t length);
const char *PyUnicode_AsUTF8AndSize(object *, ptrdiff_t *length);
object *PyUnicode_AsLatin1String(object *);
object *PyUnicode_AsEncodedString(object *, const char *encoding, const char *errors);
object *PyUnicode_Join(object *separator, object *sequence);
ptrdiff_t PyUnicode_GetLength(object *);

object *PyTuple_New(ptrdiff_t);
ptrdiff_t PyTuple_Size(object *);
object *PyTuple_GetItem(object *, ptrdiff_t);
int PyTuple_SetItem(object *, ptrdiff_t, object *);
object *PyList_New(ptrdiff_t);
ptrdiff_t PyList_Size(object *);
object *PyList_GetItem(object *, ptrdiff_t);
int PyList_SetItem(object *, ptrdiff_t, object *);
object *PySequence_List(object *);

/* libc's, as CPython has it. */
void *malloc(size_t);
void free(void *);
void *memcpy(void *restrict, const void *restrict, size_t);
void *memset(void *, int, size_t);
void *memmove(void *to, const void *from, size_t size);
int memcmp(const void *, const void *, size_t);
void *memchr(const void *, int, size_t);

static inline object *keep(object *value) {
    if (value->references < IMMORTAL_MIN)
        value->references++;
    return value;
}

static inline void release(object *value) {
    if (value && value->references < IMMORTAL_MIN && --value->references == 0)
        _Py_Dealloc(value);
}

#endif
