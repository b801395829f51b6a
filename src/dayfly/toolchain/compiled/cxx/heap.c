/* The allocator of a guest that is thrown away after one request: it dirties few pages and never gives memory back.
 *
 * A block is a payload aligned to 16 octets; the four octets before it hold its stride (payload, padding and the next
 * block's header). Blocks come off a bump pointer. A freed block goes back to the bump pointer when it is the last one,
 * else to a list for its size class, where the next block of that class finds it while it is still hot. Nothing is split
 * or joined: the classes waste at most a third of a block, and a request is over before fragmentation matters.
 */
#include <errno.h>
#include <string.h>

#include "dayfly/hot.h"

#define ALIGNMENT 16u
#define HEADER_BYTES 4u
#define WASM_PAGE_BYTES 65536u
#define SMALL_BYTES_MAX 256u
#define LARGE_CLASS (HEAP_CLASSES - 1)
/* Half of the address space: a larger request is a mistake or an attack, and sums of sizes cannot wrap below it. */
#define BLOCK_BYTES_MAX 0x7fff0000u

extern unsigned char __heap_base;

static uint32_t stride_of(const void *payload) { return ((const uint32_t *)payload)[-1]; }
static void set_stride(void *payload, uint32_t stride) { ((uint32_t *)payload)[-1] = stride; }

/* Smallest stride for a payload; classes are multiples of 16 up to 256, then 1.5 and 2 times each power of two. */
static uint32_t stride_for(size_t bytes) {
  uint32_t stride = ((uint32_t)bytes + HEADER_BYTES + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
  if (stride <= SMALL_BYTES_MAX) return stride;
  uint32_t power = 1u << (31 - __builtin_clz(stride - 1)); /* power < stride <= 2 * power */
  return stride <= power + power / 2 ? power + power / 2 : 2 * power;
}

/* The class whose blocks all hold at least what class_of(stride_for(n)) asks for: the floor of the stride. */
static uint32_t class_of(uint32_t stride) {
  if (stride <= SMALL_BYTES_MAX) return stride / ALIGNMENT - 1;
  uint32_t exponent = 31 - (uint32_t)__builtin_clz(stride);
  uint32_t half = (stride >> (exponent - 1)) & 1;
  uint32_t class = 16 + (exponent - 8) * 2 + half;
  return class < LARGE_CLASS ? class : LARGE_CLASS;
}

static void start_outside(void) {
  hot->top = ((uintptr_t)&__heap_base + HEADER_BYTES + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  hot->limit = __builtin_wasm_memory_size(0) * WASM_PAGE_BYTES;
}

static void leave_hot_zone(void) {
  hot->top = hot->top_outside;
  hot->limit = hot->limit_outside;
}

static int grow(uintptr_t end) {
  size_t pages = (end - hot->limit + WASM_PAGE_BYTES - 1) / WASM_PAGE_BYTES;
  if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 0;
  hot->limit += pages * WASM_PAGE_BYTES;
  return 1;
}

/* Moves the bump pointer to `end`, which may mean leaving the hot zone (then the caller starts over) or growing. */
static int reach(uintptr_t end) { return end <= hot->limit || grow(end); }

static void *bump(uint32_t stride) {
  if (!hot->limit) start_outside();
  if (hot->limit == HOT_HEAP_END && hot->top + stride > hot->limit) leave_hot_zone();
  uintptr_t payload = hot->top;
  if (!reach(payload + stride)) return NULL;
  hot->top = payload + stride;
  set_stride((void *)payload, stride);
  return (void *)payload;
}

static void *take_free(uint32_t class, uint32_t stride) {
  free_block **link = &hot->free_lists[class];
  while (*link && stride_of(*link) < stride) link = &(*link)->next; /* only large blocks differ within a class */
  free_block *block = *link;
  if (block) *link = block->next;
  return block;
}

void *malloc(size_t bytes) {
  if (bytes > BLOCK_BYTES_MAX) {
    errno = ENOMEM;
    return NULL;
  }
  uint32_t stride = stride_for(bytes);
  void *payload = take_free(class_of(stride), stride);
  if (!payload) payload = bump(stride);
  if (!payload) errno = ENOMEM;
  return payload;
}

void free(void *payload) {
  if (!payload || is_frozen(payload)) return;
  uint32_t stride = stride_of(payload);
  if ((uintptr_t)payload + stride == hot->top) {
    hot->top = (uintptr_t)payload;
    return;
  }
  free_block **list = &hot->free_lists[class_of(stride)];
  ((free_block *)payload)->next = *list;
  *list = payload;
}

void *calloc(size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) total = SIZE_MAX;
  void *payload = malloc(total);
  return payload ? memset(payload, 0, total) : NULL;
}

void *realloc(void *payload, size_t bytes) {
  if (!payload) return malloc(bytes);
  if (bytes > BLOCK_BYTES_MAX) {
    errno = ENOMEM;
    return NULL;
  }
  uint32_t old_stride = stride_of(payload), stride = stride_for(bytes);
  if (stride <= old_stride) return payload;
  if ((uintptr_t)payload + old_stride == hot->top && reach((uintptr_t)payload + stride)) {
    hot->top = (uintptr_t)payload + stride;
    set_stride(payload, stride);
    return payload;
  }
  void *moved = malloc(bytes);
  if (!moved) return NULL;
  memcpy(moved, payload, old_stride - HEADER_BYTES);
  free(payload);
  return moved;
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  if (alignment <= ALIGNMENT) return malloc(bytes);
  if (bytes > BLOCK_BYTES_MAX || alignment > WASM_PAGE_BYTES) {
    errno = ENOMEM;
    return NULL;
  }
  uintptr_t start = (uintptr_t)malloc(bytes + alignment);
  if (!start) return NULL;
  uintptr_t payload = (start + alignment - 1) & ~(alignment - 1);
  set_stride((void *)payload, stride_of((void *)start) - (uint32_t)(payload - start));
  return (void *)payload;
}

void *memalign(size_t alignment, size_t bytes) { return aligned_alloc(alignment, bytes); }

int posix_memalign(void **result, size_t alignment, size_t bytes) {
  *result = aligned_alloc(alignment, bytes);
  return *result ? 0 : ENOMEM;
}

size_t malloc_usable_size(void *payload) { return payload ? stride_of(payload) - HEADER_BYTES : 0; }

void heap_freeze(void) {
  if (!hot->limit) start_outside();
  hot->frozen_bytes = hot->top - HOT_HEAP_END;
  hot->top_outside = hot->top;
  hot->limit_outside = hot->limit;
  hot->top = HOT_HEAP_START;
  hot->limit = HOT_HEAP_END;
  memset(hot->free_lists, 0, sizeof hot->free_lists);
}
