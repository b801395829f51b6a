#ifndef PYTHONIC_BUILTIN_REPR_HPP
#define PYTHONIC_BUILTIN_REPR_HPP

#include "pythonic/include/builtins/repr.hpp"

#include "dayfly/show.hpp"
#include "pythonic/types/str.hpp"
#include "pythonic/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace builtins
{
  template <class T>
  types::str repr(T const &t)
  {
    std::string out;
    show::append_repr(out, t);
    return {std::move(out)};
  }
} // namespace builtins
PYTHONIC_NS_END

#endif
