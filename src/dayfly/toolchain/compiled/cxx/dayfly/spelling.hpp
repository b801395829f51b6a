// The functions that the rewritten program calls: their names are no program's own.
#pragma once
#include "log.h"
#include "reply.hpp"
#include "show.hpp"

#include <pythonic/builtins/format.hpp>
#include <pythonic/builtins/repr.hpp>
#include <pythonic/builtins/str.hpp>
#include <pythonic/types/list.hpp>
#include <pythonic/types/str.hpp>

PYTHONIC_NS_BEGIN
namespace builtins
{
  USING_FUNCTOR(dayfly_format, functor::format);
  USING_FUNCTOR(dayfly_repr, functor::repr);
  USING_FUNCTOR(dayfly_str, functor::str);

  // What a lazy object may hold and be copied with: a tuple's elements move with it, a list's stay where they are.
  template <class T>
  auto dayfly_steady(T const &iterable)
  {
    if constexpr (requires { T::index_message; })
      return types::list<typename T::value_type>(iterable.begin(), iterable.end());
    else
      return iterable;
  }

  DEFINE_FUNCTOR(pythonic::builtins, dayfly_steady);

  // print(..., sep=between, end=end)
  template <typename... Types>
  void dayfly_print(types::str const &between, types::str const &end, Types const &...values)
  {
    std::string line;
    size_t index = 0;
    ((line += index++ ? between.chars() : std::string(), show::append_str(line, values)), ...);
    line += end.chars();
    log_write(DAYFLY_LOG_INFO, line.data(), line.size());
  }

  DEFINE_FUNCTOR(pythonic::builtins, dayfly_print);
} // namespace builtins
PYTHONIC_NS_END
