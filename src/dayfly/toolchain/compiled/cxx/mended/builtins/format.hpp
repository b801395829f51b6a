#ifndef PYTHONIC_BUILTIN_FORMAT_HPP
#define PYTHONIC_BUILTIN_FORMAT_HPP

#include "pythonic/include/builtins/format.hpp"

#include "dayfly/faults.hpp"
#include "dayfly/show.hpp"
#include "pythonic/types/str.hpp"
#include "pythonic/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace builtins
{
  template <class T>
  types::str format(T const &value, types::str const &spec)
  {
    std::string out;
    show::raise_if(::dayfly::format_value(out, show::argument_of(value), spec.chars()));
    return {std::move(out)};
  }
} // namespace builtins
PYTHONIC_NS_END

#endif
