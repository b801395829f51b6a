// The guest ABI around one program. Before it is included, the program is, and these are defined:
//   dayfly::program::takes                     what its handler takes
//   void dayfly::program::start()              evaluates the module's globals in order, then calls on_init
//   pythonic::types::reply dayfly::program::answer(dayfly_frame const &)
#pragma once
#include "prelude.hpp"

extern "C" {
__attribute__((export_name("dayfly_takes"))) int32_t dayfly_takes()
{
  return dayfly::program::takes;
}

// Freezing calls this once. There is no reply to carry an exception: it is logged, and the trap makes freezing fail.
__attribute__((export_name("dayfly_init"))) void dayfly_init()
{
  try {
    dayfly::program::start();
    log_flush();
    heap_freeze();
  } catch (...) {
    std::string text = dayfly::describe_current_exception();
    log_flush();
    dayfly_log(DAYFLY_LOG_CRITICAL, text.data(), text.size());
    __builtin_trap();
  }
}

__attribute__((export_name("dayfly_handle"))) dayfly_reply *dayfly_handle(dayfly_frame const *frame)
{
  try {
    dayfly::write_reply(dayfly::program::answer(*frame));
  } catch (...) {
    auto *text = new std::string(dayfly::describe_current_exception());
    hot->reply.status = 0;
    hot->reply.error = {text->data(), static_cast<uint32_t>(text->size())};
  }
  log_flush();
  return &hot->reply;
}
}
