/* The part of WASI that libc wants, in terms of hostcalls: a module that links this imports only from `dayfly`.
 *
 * There is no file system, no environment and no process. Output goes to the log, a line a record.
 */
#include <wasi/api.h>

#include "dayfly/abi.h"
#include "dayfly/log.h"

/* wasi-libc calls a function by the first name, those parts of libc that zig has rewritten by the second. */
#define WASI(name) __imported_wasi_snapshot_preview1_##name
#define ALSO(name)                                                                     \
  __typeof__(WASI(name)) zig_##name __asm__(#name "|wasi_snapshot_preview1") \
      __attribute__((alias("__imported_wasi_snapshot_preview1_" #name)));
#define NO_SUCH_FILE(name, ...) \
  int32_t WASI(name)(__VA_ARGS__) { return __WASI_ERRNO_BADF; } \
  ALSO(name)

int32_t WASI(fd_write)(int32_t fd, int32_t vectors, int32_t count, int32_t written) {
  if (fd != 1 && fd != 2) return __WASI_ERRNO_BADF;
  const __wasi_ciovec_t *vector = (const __wasi_ciovec_t *)vectors;
  size_t total = 0;
  for (int32_t index = 0; index < count; index++) {
    log_write(fd == 1 ? DAYFLY_LOG_INFO : DAYFLY_LOG_ERROR, (const char *)vector[index].buf, vector[index].buf_len);
    total += vector[index].buf_len;
  }
  *(size_t *)written = total;
  return __WASI_ERRNO_SUCCESS;
}

int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t result) {
  if (fd != 1 && fd != 2) return __WASI_ERRNO_BADF;
  *(__wasi_fdstat_t *)result = (__wasi_fdstat_t){.fs_filetype = __WASI_FILETYPE_CHARACTER_DEVICE,
                                                 .fs_rights_base = __WASI_RIGHTS_FD_WRITE};
  return __WASI_ERRNO_SUCCESS;
}

int32_t WASI(clock_time_get)(int32_t id, int64_t precision, int32_t result) {
  (void)precision;
  int64_t ns = dayfly_clock(id == __WASI_CLOCKID_REALTIME ? DAYFLY_CLOCK_REALTIME : DAYFLY_CLOCK_MONOTONIC);
  *(__wasi_timestamp_t *)result = (__wasi_timestamp_t)ns;
  return __WASI_ERRNO_SUCCESS;
}

int32_t WASI(clock_res_get)(int32_t id, int32_t result) {
  (void)id;
  *(__wasi_timestamp_t *)result = 1000000; /* the host rounds to a millisecond */
  return __WASI_ERRNO_SUCCESS;
}

int32_t WASI(random_get)(int32_t buffer, int32_t size) {
  dayfly_random((void *)buffer, (uint32_t)size);
  return __WASI_ERRNO_SUCCESS;
}

/* Sleeping is the only use that libc makes of it here: one subscription to one clock. */
int32_t WASI(poll_oneoff)(int32_t subscriptions, int32_t events, int32_t count, int32_t result) {
  const __wasi_subscription_t *wanted = (const __wasi_subscription_t *)subscriptions;
  if (count != 1 || wanted->u.tag != __WASI_EVENTTYPE_CLOCK) return __WASI_ERRNO_NOSYS;
  dayfly_sleep((int64_t)wanted->u.u.clock.timeout);
  *(__wasi_event_t *)events = (__wasi_event_t){.userdata = wanted->userdata, .type = __WASI_EVENTTYPE_CLOCK};
  *(size_t *)result = 1;
  return __WASI_ERRNO_SUCCESS;
}

int32_t WASI(sched_yield)(void) { return __WASI_ERRNO_SUCCESS; }

static int32_t none(int32_t count, int32_t bytes) {
  *(size_t *)count = 0;
  *(size_t *)bytes = 0;
  return __WASI_ERRNO_SUCCESS;
}
int32_t WASI(args_sizes_get)(int32_t count, int32_t bytes) { return none(count, bytes); }
int32_t WASI(args_get)(int32_t a, int32_t b) { return __WASI_ERRNO_SUCCESS; }
int32_t WASI(environ_sizes_get)(int32_t count, int32_t bytes) { return none(count, bytes); }
int32_t WASI(environ_get)(int32_t a, int32_t b) { return __WASI_ERRNO_SUCCESS; }

_Noreturn void WASI(proc_exit)(int32_t status) { __builtin_trap(); }

NO_SUCH_FILE(fd_advise, int32_t a, int64_t b, int64_t c, int32_t d)
NO_SUCH_FILE(fd_allocate, int32_t a, int64_t b, int64_t c)
NO_SUCH_FILE(fd_close, int32_t a)
NO_SUCH_FILE(fd_datasync, int32_t a)
NO_SUCH_FILE(fd_fdstat_set_flags, int32_t a, int32_t b)
NO_SUCH_FILE(fd_fdstat_set_rights, int32_t a, int64_t b, int64_t c)
NO_SUCH_FILE(fd_filestat_get, int32_t a, int32_t b)
NO_SUCH_FILE(fd_filestat_set_size, int32_t a, int64_t b)
NO_SUCH_FILE(fd_filestat_set_times, int32_t a, int64_t b, int64_t c, int32_t d)
NO_SUCH_FILE(fd_pread, int32_t a, int32_t b, int32_t c, int64_t d, int32_t e)
NO_SUCH_FILE(fd_prestat_get, int32_t a, int32_t b)
NO_SUCH_FILE(fd_prestat_dir_name, int32_t a, int32_t b, int32_t c)
NO_SUCH_FILE(fd_pwrite, int32_t a, int32_t b, int32_t c, int64_t d, int32_t e)
NO_SUCH_FILE(fd_read, int32_t a, int32_t b, int32_t c, int32_t d)
NO_SUCH_FILE(fd_readdir, int32_t a, int32_t b, int32_t c, int64_t d, int32_t e)
NO_SUCH_FILE(fd_renumber, int32_t a, int32_t b)
NO_SUCH_FILE(fd_seek, int32_t a, int64_t b, int32_t c, int32_t d)
NO_SUCH_FILE(fd_sync, int32_t a)
NO_SUCH_FILE(fd_tell, int32_t a, int32_t b)
NO_SUCH_FILE(path_create_directory, int32_t a, int32_t b, int32_t c)
NO_SUCH_FILE(path_filestat_get, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e)
NO_SUCH_FILE(path_filestat_set_times, int32_t a, int32_t b, int32_t c, int32_t d, int64_t e, int64_t f, int32_t g)
NO_SUCH_FILE(path_link, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g)
NO_SUCH_FILE(path_open, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int64_t f, int64_t g, int32_t h, int32_t i)
NO_SUCH_FILE(path_readlink, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f)
NO_SUCH_FILE(path_remove_directory, int32_t a, int32_t b, int32_t c)
NO_SUCH_FILE(path_rename, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f)
NO_SUCH_FILE(path_symlink, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e)
NO_SUCH_FILE(path_unlink_file, int32_t a, int32_t b, int32_t c)

ALSO(fd_write)
ALSO(fd_fdstat_get)
ALSO(clock_time_get)
ALSO(clock_res_get)
ALSO(random_get)
ALSO(poll_oneoff)
ALSO(sched_yield)
ALSO(args_sizes_get)
ALSO(args_get)
ALSO(environ_sizes_get)
ALSO(environ_get)
ALSO(proc_exit)
