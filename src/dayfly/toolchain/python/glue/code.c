/* Byte code where it is: what changes when it is first run is changed beforehand, and what loading a program has counted
   in the base's is undone.

   The interpreter counts in the caches of its instructions how often they are run. Loading runs some hundred functions
   all over the base, which made a page of each release of every few octets of theirs. So the base has copies of these,
   as they are when its snapshot is taken, and a load writes them back if only caches differ. What these hold was true of
   the base, and is asked again whenever it is used: all that they point to is immortal, and no version that they compare
   with is given twice. */

#include "code.h"

enum { OPERATIONS = 256 };
/* Of an operation that stands in the place of another one, which alone knows how many caches follow. */
enum { UNKNOWN = 255 };

static size_t units_offset;
static uint8_t caches[OPERATIONS];

/* Code of the base, with a sum of its octets when that was last asked for. */
struct kept {
    struct code *code;
    uint32_t sum, is_run;
    uint8_t *octets; /* the copy */
};
static struct kept *all;
static size_t count;
static int is_marked;

static struct unit *units_of(struct code *code) {
    return (struct unit *)((char *)code + units_offset);
}

static size_t size_of(struct code *code) {
    return (size_t)code->units * sizeof(struct unit);
}

static void add(struct code *code) {
    enum { MORE = 4096 };
    if (count % MORE == 0) {
        struct kept *larger = malloc((count + MORE) * sizeof *larger);
        if (larger == NULL)
            __builtin_trap();
        if (count)
            memcpy(larger, all, count * sizeof *larger);
        free(all);
        all = larger;
    }
    all[count++] = (struct kept){ .code = code };
}

void code_form(size_t offset, const uint8_t *caches_of) {
    units_offset = offset;
    memcpy(caches, caches_of, OPERATIONS);
}

void code_adapt(struct code *code, const uint8_t *changed) {
    struct unit *units = units_of(code);
    for (ptrdiff_t i = 0; i < code->units && caches[units[i].operation] != UNKNOWN; i++) {
        units[i].operation = changed[units[i].operation];
        i += caches[units[i].operation];
    }
    if (!is_marked)
        add(code);
}

static uint32_t sum_of(struct code *code) {
    const uint8_t *octets = (const uint8_t *)units_of(code);
    uint32_t sum = 2166136261;
    for (size_t i = 0; i < size_of(code); i++)
        sum = (sum ^ octets[i]) * 16777619;
    return sum;
}

void code_note(void) {
    for (size_t i = 0; is_marked && i < count; i++) {
        uint32_t sum = sum_of(all[i].code);
        all[i].is_run |= sum != all[i].sum;
        all[i].sum = sum;
    }
}

void code_mark(void) {
    is_marked = 1;
    code_note();
    for (size_t i = 0; i < count; i++)
        all[i].is_run = 0;
}

void code_keep(void) {
    size_t kept = 0, size = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].is_run) {
            all[kept++] = all[i];
            size += size_of(all[i].code);
        }
    struct kept *few = malloc(kept * sizeof *few + size + 1);
    if (few == NULL)
        __builtin_trap();
    if (kept)
        memcpy(few, all, kept * sizeof *few);
    free(all);
    all = few;
    count = kept;
    uint8_t *octets = (uint8_t *)(few + kept);
    for (size_t i = 0; i < count; i++) {
        all[i].octets = octets;
        octets += size_of(all[i].code);
    }
}

void code_copy(void) {
    for (size_t i = 0; i < count; i++)
        memcpy(all[i].octets, units_of(all[i].code), size_of(all[i].code));
}

static int is_alike(struct code *code, const struct unit *before) {
    const struct unit *now = units_of(code);
    for (ptrdiff_t i = 0; i < code->units; i++) {
        if (now[i].operation != before[i].operation || caches[now[i].operation] == UNKNOWN)
            return 0;
        i += caches[now[i].operation];
    }
    return 1;
}

void code_restore(void) {
    for (size_t i = 0; i < count; i++)
        if (is_alike(all[i].code, (const struct unit *)all[i].octets))
            memcpy(units_of(all[i].code), all[i].octets, size_of(all[i].code));
}
