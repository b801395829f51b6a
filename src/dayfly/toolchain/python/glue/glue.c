/* The guest ABI on top of CPython: linked into the interpreter's module, and calling it directly. */

#include "host.h"
#include "code.h"
#include "python.h"

/* Until `dayfly_init` has made another one. */
static struct hot at_start = { .is_freezing = 1 };
struct hot *hot = &at_start;

/* What a request calls, and with what: set before the snapshot, only read by requests. */
static object *guest;
static object *entry;
/* For an entry that is the program's own function: what makes an answer of its value, and of an exception. */
static object *finish, *failed;
/* What makes arguments of the parts, for each of them, or NULL. */
static object *converters[ARGUMENTS_MAX];
static uint32_t takes;
static uint8_t parts[ARGUMENTS_MAX];
static uint32_t parts_count;

/* -- request: parts of the frame */

static object *content(const struct frame *frame) {
    struct text here = frame->parts[BODY];
    uint32_t total = (uint32_t)frame->parts[TOTAL].at;
    object *whole = PyBytes_FromStringAndSize(NULL, (ptrdiff_t)total);
    if (whole == NULL)
        return NULL;
    char *octets = PyBytes_AsString(whole);
    uint32_t done = here.length < total ? here.length : total;
    memcpy(octets, here.at, done);
    while (done < total) {
        uint32_t more = host_body_read(done, octets + done, total - done);
        if (more == 0)
            break;
        done += more;
    }
    return whole;
}

static object *part(uint32_t index) {
    const struct frame *frame = hot->frame;
    if (frame == NULL || index >= PARTS || index == HEADERS || index == TOTAL) {
        PyErr_SetString(PyExc_ValueError, frame ? "there is no such part" : "there is no request");
        return NULL;
    }
    if (index == BODY)
        return content(frame);
    return PyUnicode_DecodeLatin1(frame->parts[index].at, (ptrdiff_t)frame->parts[index].length, NULL);
}

static int is_plain(struct text text) {
    for (uint32_t i = 0; i < text.length; i++)
        if (text.at[i] == '%' || text.at[i] < 0)
            return 0;
    return 1;
}

static object *argument(uint32_t source, object *converter) {
    if (source == NO_PART)
        return PyObject_CallNoArgs(converter);
    object *value = part(source == TEXT_OF_PATH ? PATH : source);
    if (value == NULL || converter == NULL || (source == TEXT_OF_PATH && is_plain(hot->frame->parts[PATH])))
        return value;
    return PyObject_CallOneArg(converter, value);
}

static object *text_of(struct text text) {
    return PyUnicode_DecodeLatin1(text.at, (ptrdiff_t)text.length, NULL);
}

static object *field_of(const struct field *field) {
    object *pair = PyTuple_New(2), *name = text_of(field->name), *value = text_of(field->value);
    if (pair && name && value) {
        PyTuple_SetItem(pair, 0, name);
        PyTuple_SetItem(pair, 1, value);
        return pair;
    }
    release(pair);
    release(name);
    release(value);
    return NULL;
}

/* -- reply */

static int utf8(object *value, struct text *text) {
    ptrdiff_t length;
    text->at = PyUnicode_AsUTF8AndSize(value, &length);
    text->length = (uint32_t)length;
    return text->at ? 0 : -1;
}

/* A text for the log: whatever is in it, it must not be lost. Surrogates, which a client can send in JSON, are escaped. */
static int readable(object *value, struct text *text) {
    if (utf8(value, text) == 0)
        return 0;
    PyErr_Clear();
    object *encoded = PyUnicode_AsEncodedString(value, "utf-8", "backslashreplace");
    if (encoded == NULL)
        return -1;
    *text = (struct text){ PyBytes_AsString(encoded), (uint32_t)PyBytes_Size(encoded) };
    return 0;
}

/* The last words of a program: what PyErr holds, formatted as Python does it. */
static struct text failure(void) {
    static const char unknown[] = "the program failed, and so did describing how";
    struct text text = { unknown, sizeof unknown - 1 };
    object *raised = PyErr_GetRaisedException();
    object *module = raised ? PyImport_ImportModule("traceback") : NULL;
    object *format = module ? PyObject_GetAttrString(module, "format_exception") : NULL;
    object *lines = format ? PyObject_CallOneArg(format, raised) : NULL;
    object *nothing = lines ? PyUnicode_FromStringAndSize("", 0) : NULL;
    object *whole = nothing ? PyUnicode_Join(nothing, lines) : NULL;
    struct text said;
    if (whole && readable(whole, &said) == 0)
        text = said;
    PyErr_Clear();
    return text;
}

static int is(object *value, object *type) {
    return value->type == type;
}

static int wrong(const char *text) {
    PyErr_SetString(PyExc_TypeError, text);
    return -1;
}

static int octets(object *value, struct text *text) {
    if (is(value, &PyUnicode_Type))
        return utf8(value, text);
    if (!is(value, &PyBytes_Type))
        return wrong("the content is neither str nor bytes");
    *text = (struct text){ PyBytes_AsString(value), (uint32_t)PyBytes_Size(value) };
    return 0;
}

/* Text of a head: latin-1. It is ASCII almost always, which is the same in UTF-8. */
static int head_text(object *value, struct text *text) {
    if (!is(value, &PyUnicode_Type))
        return wrong("names and values of fields are str");
    if (utf8(value, text))
        return -1;
    if ((ptrdiff_t)text->length == PyUnicode_GetLength(value))
        return 0;
    object *encoded = PyUnicode_AsLatin1String(value);
    return encoded ? octets(encoded, text) : -1;
}

static int pair(object *value, struct field *field) {
    if (!is(value, &PyTuple_Type) || PyTuple_Size(value) != 2)
        return wrong("a field is a tuple (name, value)");
    return head_text(PyTuple_GetItem(value, 0), &field->name) || head_text(PyTuple_GetItem(value, 1), &field->value);
}

static int fields(object *value, struct reply *reply) {
    ptrdiff_t count = PyList_Size(value);
    if (count < 0)
        return -1;
    size_t count_max = SIZE_MAX / sizeof *reply->fields;
    reply->fields = (size_t)count < count_max ? malloc((size_t)count * sizeof *reply->fields + 1) : NULL;
    if (reply->fields == NULL)
        return wrong("there is no memory for the fields");
    reply->fields_count = (uint32_t)count;
    for (ptrdiff_t i = 0; i < count; i++)
        if (pair(PyList_GetItem(value, i), &reply->fields[i]))
            return -1;
    return 0;
}

/* (status, content type or None, fields or None, content) */
static int long_form(object *value, struct reply *reply) {
    long long status = PyLong_AsLongLong(PyTuple_GetItem(value, 0));
    object *type = PyTuple_GetItem(value, 1), *list = PyTuple_GetItem(value, 2);
    if (status == -1 && PyErr_Occurred())
        return -1;
    /* 0 is for failures; whatever else is no status the host refuses. */
    reply->status = status > 0 && status < 1000 ? (uint32_t)status : 999;
    if (type != &_Py_NoneStruct && head_text(type, &reply->content_type))
        return -1;
    if (list != &_Py_NoneStruct && fields(list, reply))
        return -1;
    return octets(PyTuple_GetItem(value, 3), &reply->body);
}

static int fill(object *value, struct reply *reply) {
    if (value == NULL)
        return -1;
    if (is(value, &PyTuple_Type)) {
        ptrdiff_t size = PyTuple_Size(value);
        if (size == 2) {
            reply->status = 200;
            return head_text(PyTuple_GetItem(value, 0), &reply->content_type) || octets(PyTuple_GetItem(value, 1), &reply->body);
        }
        if (size == 4)
            return long_form(value, reply);
    }
    if (is(value, &PyUnicode_Type))
        return readable(value, &reply->error);
    return wrong("the entry returned neither an answer nor why there is none");
}

/* What was returned, or raised. The values stay alive: the restore takes them. */
static struct reply *answer(object *value) {
    struct reply *reply = &hot->reply;
    *reply = (struct reply){ 0 };
    if (fill(value, reply))
        *reply = (struct reply){ .error = failure() };
    return reply;
}

/* -- what the runtime is called for besides: when a request ends, and when something is drawn while freezing */

static object *watcher;

static void undisturbed(object *callable, object *argument) {
    object *raised = PyErr_GetRaisedException();
    release(argument ? PyObject_CallOneArg(callable, argument) : PyObject_CallNoArgs(callable));
    PyErr_Clear();
    if (raised)
        PyErr_SetRaisedException(raised);
}

static void end(void) {
    object *callable = hot->later;
    if (callable == NULL)
        return;
    hot->later = NULL;
    undisturbed(callable, NULL);
    release(callable);
}

static void tell(uint32_t what) {
    object *told = watcher;
    if (told == NULL)
        return;
    watcher = NULL; /* what it draws itself is not told */
    object *number = PyLong_FromLong((long)what);
    if (number)
        undisturbed(told, number);
    release(number);
    watcher = told;
}

static int tell_later(void *what) {
    tell((uint32_t)(uintptr_t)what);
    return 0;
}

void drawn(uint32_t what) {
    if (watcher == NULL || !hot->is_freezing)
        return;
    if (PyThreadState_GetUnchecked())
        tell(what);
    else
        /* Whoever draws has let go of the interpreter meanwhile: it is told in the same line, when it goes on. */
        Py_AddPendingCall(tell_later, (void *)(uintptr_t)what);
}

static object *call_later(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self;
    if (count != 1)
        return wrong("later(callable)"), NULL;
    object *before = hot->later;
    hot->later = keep(arguments[0]);
    release(before);
    return &_Py_NoneStruct;
}

static object *watch(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self;
    if (count != 1)
        return wrong("watch(callable or None)"), NULL;
    object *before = watcher;
    watcher = arguments[0] == &_Py_NoneStruct ? NULL : keep(arguments[0]);
    release(before);
    return &_Py_NoneStruct;
}

static object *secret(object *self, object *const *arguments, ptrdiff_t count) {
    enum { USUAL = 256 };
    struct text name;
    char value[USUAL];
    (void)self;
    if (count != 1 || !is(arguments[0], &PyUnicode_Type))
        return wrong("secret(name: str)"), NULL;
    if (utf8(arguments[0], &name))
        return NULL;
    int32_t length = host_secret(name.at, name.length, value, USUAL);
    if (length < 0)
        return &_Py_NoneStruct;
    if (length <= USUAL)
        return PyBytes_FromStringAndSize(value, length);
    object *whole = PyBytes_FromStringAndSize(NULL, length);
    if (whole)
        host_secret(name.at, name.length, PyBytes_AsString(whole), (uint32_t)length);
    return whole;
}

static int is_answer(object *value) {
    return is(value, &PyTuple_Type) && PyTuple_Size(value) == 2 && is(PyTuple_GetItem(value, 0), &PyUnicode_Type) &&
           is(PyTuple_GetItem(value, 1), &PyUnicode_Type);
}

/* Makes an answer of what a program's own function returned or raised. What most of them return is one already, or a
   function that returns one. */
static object *finished(object *value) {
    if (value && is(value, &PyFunction_Type))
        value = PyObject_CallNoArgs(value);
    if (value && !is_answer(value))
        value = PyObject_CallOneArg(finish, value);
    if (value)
        return value;
    object *raised = PyErr_GetRaisedException();
    return raised ? PyObject_CallOneArg(failed, raised) : NULL;
}

EXPORT("dayfly_takes") uint32_t dayfly_takes(void) {
    return takes;
}

EXPORT("dayfly_handle") struct reply *dayfly_handle(const struct frame *frame) {
    object *arguments[ARGUMENTS_MAX];
    hot->is_freezing = 0;
    hot->frame = frame;
    uint32_t made = 0;
    while (made < parts_count && (arguments[made] = argument(parts[made], converters[made])))
        made++;
    object *value = made == parts_count ? PyObject_Vectorcall(entry, arguments, parts_count, NULL) : NULL;
    if (finish)
        value = finished(value);
    end();
    return answer(value);
}

static int integer(object *const *arguments, ptrdiff_t count, ptrdiff_t index, long long *value) {
    if (index >= count)
        return wrong("an argument is missing");
    *value = PyLong_AsLongLong(arguments[index]);
    return *value == -1 && PyErr_Occurred() ? -1 : 0;
}

/* -- levers: what makes requests write to fewer pages */

/* Reference counts of immortal objects are never written. */
static object *immortalise(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self;
    if (count != 1)
        return wrong("immortalise(list)"), NULL;
    ptrdiff_t size = PyList_Size(arguments[0]);
    for (ptrdiff_t i = 0; i < size; i++) {
        object *value = PyList_GetItem(arguments[0], i);
        if (value->references < IMMORTAL_MIN)
            value->references = IMMORTAL;
    }
    return size < 0 ? NULL : &_Py_NoneStruct;
}

/* Some instructions become others when they are first run, whatever they work on: that is done here. */
static object *adapt(object *self, object *const *arguments, ptrdiff_t count) {
    enum { OPERATIONS = 256 };
    long long offset;
    (void)self;
    if (count != 4 || PyBytes_Size(arguments[2]) != OPERATIONS || PyBytes_Size(arguments[3]) != OPERATIONS)
        return wrong("adapt(objects: list, offset: int, changed: bytes, caches: bytes)"), NULL;
    ptrdiff_t size = PyList_Size(arguments[0]);
    if (size < 0 || integer(arguments, count, 1, &offset))
        return NULL;
    const uint8_t *changed = (const uint8_t *)PyBytes_AsString(arguments[2]);
    code_form((size_t)offset, (const uint8_t *)PyBytes_AsString(arguments[3]));
    for (ptrdiff_t i = 0; i < size; i++) {
        object *value = PyList_GetItem(arguments[0], i);
        if (is(value, &PyCode_Type))
            code_adapt((struct code *)value, changed);
    }
    return &_Py_NoneStruct;
}

/* Memory that a request can have before the heap has to grow. */
enum { RESERVE_BYTES = 2 << 20 };
/* What the heap does not give, so that it need not grow. */
enum { MARGIN_BYTES = 64 << 10 };

/* Until the base's snapshot is taken; then programs are loaded. */
static int is_base = 1;

/* Clears the heap from its top on: of the base all of it, since a page of remains would be in every delta that clears it.
   It is taken whole in any case, so that what the allocator notes behind it is always noted in the same page. */
static void clear_top(char *top) {
    size_t end = __builtin_wasm_memory_size(0) * 65536, least = (size_t)top + RESERVE_BYTES + MARGIN_BYTES;
    size_t size = (end > least ? end : least) - MARGIN_BYTES - (size_t)top;
    char *rest = malloc(size);
    if (rest)
        clear(rest, is_base ? size : RESERVE_BYTES);
    free(rest);
}

/* Uses up every hole in the heap, so that what comes later lies in a row at its top. */
static void compact_heap(void) {
    char *top = malloc(RESERVE_BYTES / 2);
    free(top);
    for (size_t size = 1 << 20; size > 0; size = size > 1024 ? size / 2 : size - 8) {
        char *filled = malloc(size);
        while (filled && filled < top) {
            clear(filled, size);
            filled = malloc(size);
        }
        free(filled);
    }
    if (top)
        clear_top(top);
}

static object *compact(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self, (void)arguments, (void)count;
    compact_heap();
    return &_Py_NoneStruct;
}

/* -- the module `_dayfly` */

static object *log_text(object *self, object *const *arguments, ptrdiff_t count) {
    long long level;
    struct text text;
    (void)self;
    if (count != 2 || !is(arguments[1], &PyUnicode_Type))
        return wrong("log(level: int, text: str)"), NULL;
    if (integer(arguments, count, 0, &level) || readable(arguments[1], &text))
        return NULL;
    host_log((uint32_t)level, text.at, text.length);
    return &_Py_NoneStruct;
}

static object *clock(object *self, object *const *arguments, ptrdiff_t count) {
    long long which;
    (void)self;
    if (integer(arguments, count, 0, &which))
        return NULL;
    return PyLong_FromLongLong(clock_ns(which != CLOCK_REAL));
}

/* A length that a request can have memory for, or an error. */
static object *room(long long length) {
    if (length < 0 || length > INT32_MAX)
        return PyErr_SetString(PyExc_ValueError, "no such length"), NULL;
    return PyBytes_FromStringAndSize(NULL, (ptrdiff_t)length);
}

static object *random_bytes(object *self, object *const *arguments, ptrdiff_t count) {
    long long length;
    (void)self;
    if (integer(arguments, count, 0, &length))
        return NULL;
    object *drawn = room(length);
    if (drawn)
        random_octets(PyBytes_AsString(drawn), (uint32_t)length);
    return drawn;
}

static object *sleep_ns(object *self, object *const *arguments, ptrdiff_t count) {
    long long nanoseconds;
    (void)self;
    if (integer(arguments, count, 0, &nanoseconds))
        return NULL;
    if (nanoseconds > 0)
        host_sleep(nanoseconds);
    return &_Py_NoneStruct;
}

static object *body(object *self, object *const *arguments, ptrdiff_t count) {
    long long offset, length;
    (void)self;
    if (integer(arguments, count, 0, &offset) || integer(arguments, count, 1, &length))
        return NULL;
    object *whole = room(length);
    if (whole == NULL)
        return NULL;
    uint32_t copied = host_body_read((uint32_t)offset, PyBytes_AsString(whole), (uint32_t)length);
    if (copied == (uint32_t)length)
        return whole;
    object *shorter = PyBytes_FromStringAndSize(PyBytes_AsString(whole), (ptrdiff_t)copied);
    release(whole);
    return shorter;
}

static object *part_of_frame(object *self, object *const *arguments, ptrdiff_t count) {
    long long index;
    (void)self;
    return integer(arguments, count, 0, &index) ? NULL : part((uint32_t)index);
}

static object *fields_of_frame(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self, (void)arguments, (void)count;
    struct text entries = hot->frame ? hot->frame->parts[HEADERS] : (struct text){ 0 };
    const struct field *field = (const struct field *)entries.at;
    object *list = PyList_New((ptrdiff_t)entries.length);
    for (uint32_t i = 0; list && i < entries.length; i++) {
        object *pair = field_of(&field[i]);
        if (pair == NULL || PyList_SetItem(list, (ptrdiff_t)i, pair)) {
            release(list);
            return NULL;
        }
    }
    return list;
}

static object *freezing(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self, (void)arguments, (void)count;
    return hot->is_freezing ? &_Py_TrueStruct : &_Py_FalseStruct;
}

static object *captured(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self, (void)arguments, (void)count;
    long before = (long)hot->captured;
    hot->captured = 0;
    return PyLong_FromLong(before);
}

static void replace(object **place, object *value) {
    object *before = *place;
    *place = value ? keep(value) : NULL;
    release(before);
}

static object *set_entry(object *self, object *const *arguments, ptrdiff_t count) {
    long long mask, index;
    (void)self;
    int is_direct = count == 6;
    if ((count != 3 && !is_direct) || !is(arguments[2], &PyTuple_Type) || PyTuple_Size(arguments[2]) > ARGUMENTS_MAX)
        return wrong("set_entry(callable, takes: int, parts: tuple[int, ...], finish, failed, converters)"), NULL;
    if (integer(arguments, count, 1, &mask))
        return NULL;
    ptrdiff_t size = PyTuple_Size(arguments[2]);
    for (ptrdiff_t i = 0; i < size; i++) {
        object *item = PyTuple_GetItem(arguments[2], i);
        if (integer(&item, 1, 0, &index))
            return NULL;
        object *converter = is_direct ? PyTuple_GetItem(arguments[5], i) : &_Py_NoneStruct;
        if (converter == NULL)
            return NULL;
        if (index < 0 || index >= SOURCES || (index == NO_PART && converter == &_Py_NoneStruct))
            return wrong("there is no such part"), NULL;
        parts[i] = (uint8_t)index;
        replace(&converters[i], converter == &_Py_NoneStruct ? NULL : converter);
    }
    parts_count = (uint32_t)size;
    takes = (uint32_t)mask;
    replace(&entry, arguments[0]);
    replace(&finish, is_direct ? arguments[3] : NULL);
    replace(&failed, is_direct ? arguments[4] : NULL);
    return &_Py_NoneStruct;
}

/* -- the bundle that is being loaded: it shrinks while parts are taken from its end, so that no content is there twice.

       | largest      | small | medium | large |        large is copied, and given back
       | largest      | small | medium |........        medium is copied to where large was, and given back
       | largest      |......................           the bundle is the largest now, and is not copied

   Each part is followed by room for the head of an object, so that the next one fits into its place. */

enum { PART_ROOM = 64 };

static object *bundle;

static int shorten(ptrdiff_t length) {
    char *octets = PyBytes_AsString(bundle);
    /* Zeros are no part of a snapshot, and nothing may come to lie here any more. */
    memset(octets + length, 0, (size_t)(PyBytes_Size(bundle) - length));
    return _PyBytes_Resize(&bundle, length);
}

static object *head(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self, (void)arguments, (void)count;
    ptrdiff_t length = 0, size = bundle ? PyBytes_Size(bundle) : 0;
    char *octets = bundle ? PyBytes_AsString(bundle) : NULL;
    while (length < size && octets[length] != '\n')
        length++;
    if (length == size)
        return PyErr_SetString(PyExc_ValueError, "the bundle has no line"), NULL;
    object *line = PyBytes_FromStringAndSize(octets, length);
    if (line == NULL)
        return NULL;
    memmove(octets, octets + length + 1, (size_t)(size - length - 1));
    return shorten(size - length - 1) ? release(line), NULL : line;
}

static object *take(object *self, object *const *arguments, ptrdiff_t count) {
    long long size;
    (void)self;
    ptrdiff_t all = bundle ? PyBytes_Size(bundle) : 0;
    if (integer(arguments, count, 0, &size))
        return NULL;
    if (size < 0 || size > all - PART_ROOM)
        return PyErr_SetString(PyExc_ValueError, "the bundle has not so many octets"), NULL;
    ptrdiff_t rest = all - PART_ROOM - (ptrdiff_t)size;
    if (rest == 0) {
        if (shorten((ptrdiff_t)size))
            return NULL;
        object *last = bundle;
        bundle = NULL;
        return last;
    }
    object *taken = PyBytes_FromStringAndSize(PyBytes_AsString(bundle) + rest, (ptrdiff_t)size);
    return taken && shorten(rest) ? release(taken), NULL : taken;
}

static object *call(const char *name) {
    object *function = PyObject_GetAttrString(guest, name);
    object *result = function ? PyObject_CallNoArgs(function) : NULL;
    release(function);
    return result;
}

static object *load(void) {
    object *result = call("load");
    end();
    release(bundle);
    bundle = NULL;
    return result;
}

static object *rehearse(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self;
    if (count != 1 || !is(arguments[0], &PyBytes_Type))
        return wrong("rehearse(bundle: bytes)"), NULL;
    ptrdiff_t size = PyBytes_Size(arguments[0]);
    bundle = PyBytes_FromStringAndSize(NULL, size);
    if (bundle == NULL)
        return NULL;
    memcpy(PyBytes_AsString(bundle), PyBytes_AsString(arguments[0]), (size_t)size);
    return load();
}

static object *ran(object *self, object *const *arguments, ptrdiff_t count) {
    (void)self, (void)arguments, (void)count;
    code_note();
    return &_Py_NoneStruct;
}

static struct method methods[] = {
    { "log", log_text, METH_FASTCALL, "log(level: int, text: str)\nOne line for the tenant's log." },
    { "clock", clock, METH_FASTCALL, "clock(which: int) -> int\nNanoseconds: 0 real time, 1 a steady clock." },
    { "random", random_bytes, METH_FASTCALL, "random(n: int) -> bytes" },
    { "sleep", sleep_ns, METH_FASTCALL, "sleep(ns: int)" },
    { "body", body, METH_FASTCALL, "body(offset: int, n: int) -> bytes\nContent of the request that is not in the frame." },
    { "part", part_of_frame, METH_FASTCALL, "part(index: int) -> str | bytes\nPart of the request." },
    { "fields", fields_of_frame, METH_FASTCALL, "fields() -> list[tuple[str, str]]\nHeader fields of the request." },
    { "head", head, METH_FASTCALL, "head() -> bytes\nThe first line of the bundle, which it has no longer then." },
    { "take", take, METH_FASTCALL, "take(n: int) -> bytes\nThe last part of the bundle, which it has no longer then." },
    { "freezing", freezing, METH_FASTCALL, "freezing() -> bool\nTrue until the snapshot is taken." },
    { "later", call_later, METH_FASTCALL, "later(callable)\nCall it once when the entry has returned." },
    { "watch", watch, METH_FASTCALL, "watch(callable or None)\nCall it with what is drawn while freezing." },
    { "secret", secret, METH_FASTCALL, "secret(name: str) -> bytes | None" },
    { "captured", captured, METH_FASTCALL, "captured() -> int\nWhat was drawn while freezing, since the last call." },
    { "rehearse", rehearse, METH_FASTCALL, "rehearse(bundle: bytes)\nLoad a copy of it, as loading does." },
    { "ran", ran, METH_FASTCALL, "ran()\nNote what code of the base has been run since the last time." },
    { "set_entry", set_entry, METH_FASTCALL, "set_entry(callable, takes: int, parts: tuple[int, ...], finish, failed, converters)\n"
      "What a request calls. With the last three it is the program's own function: they make an answer of its value "
      "and of an exception, and its arguments of the parts. Part 10 is a path that is converted only if it is not "
      "plain, part 11 none." },
    { "immortalise", immortalise, METH_FASTCALL, "immortalise(objects: list)\nNever count references to these again." },
    { "adapt", adapt, METH_FASTCALL,
      "adapt(objects: list, offset: int, changed: bytes, caches: bytes)\n"
      "Change operations in the code objects among these, whose code begins at the offset: by number, what each becomes "
      "and how many caches follow it." },
    { "compact", compact, METH_FASTCALL, "compact()\nFill the holes of the heap." },
    { 0 },
};

/* -- start-up and loading */

/* Calls a function of the guest's runtime; its end is that of the process. */
static void must(object *result) {
    if (result) {
        release(result);
        return;
    }
    struct text text = failure();
    host_log(LEVEL_ERROR, text.at, text.length);
    __builtin_trap();
}

static __attribute__((noinline)) void start(void) {
    struct hot *moved = room_near(sizeof *moved);
    *moved = *hot;
    hot = moved;
    /* The thread's state stays attached in the snapshot. */
    PyGILState_Ensure();
    move_thread();
    object *module = PyImport_AddModuleRef("_dayfly");
    if (module == NULL || PyModule_AddFunctions(module, methods))
        must(NULL);
    guest = PyImport_ImportModule("dayfly.guest");
    if (guest == NULL)
        must(NULL);
    must(call("start"));
    must(call("settle"));
    code_mark();
    must(call("rehearse"));
    must(call("settle"));
    code_note();
    code_keep();
    must(call("settle"));
    code_copy();
    is_base = 0;
}

EXPORT("dayfly_init") void dayfly_init(void) {
    make_room_near();
    start();
    clear_stack();
}

EXPORT("dayfly_reserve") void *dayfly_reserve(uint32_t length) {
    static const char too_large[] =
        "the files do not fit into memory beside CPython and packages; "
        "take files or packages out, or raise memory_bytes_max if it is below 64 MiB";
    release(bundle);
    bundle = PyBytes_FromStringAndSize(NULL, (ptrdiff_t)length);
    if (bundle == NULL) {
        host_log(LEVEL_ERROR, too_large, sizeof too_large - 1);
        __builtin_trap();
    }
    return PyBytes_AsString(bundle);
}

/* A copy that outlives what Python releases. */
static struct text copied(struct text text) {
    char *copy = malloc(text.length + 1);
    if (copy == NULL)
        __builtin_trap();
    memcpy(copy, text.at, text.length);
    return (struct text){ copy, text.length };
}

EXPORT("dayfly_load") struct reply *dayfly_load(const char *octets, uint32_t length) {
    (void)octets, (void)length; /* of what `dayfly_reserve` made */
    object *result = load();
    struct reply *reply = answer(result);
    reply->body = copied(reply->body);
    reply->error = copied(reply->error);
    release(result);
    if (reply->status) {
        must(call("settle"));
        code_restore();
    }
    clear_stack();
    return &hot->reply;
}
