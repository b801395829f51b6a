#ifndef PYTHONIC_INCLUDE_TIME_PERF_COUNTER_HPP
#define PYTHONIC_INCLUDE_TIME_PERF_COUNTER_HPP

#include "pythonic/include/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace time
{
  double perf_counter();

  DEFINE_FUNCTOR(pythonic::time, perf_counter);
} // namespace time
PYTHONIC_NS_END

#endif
