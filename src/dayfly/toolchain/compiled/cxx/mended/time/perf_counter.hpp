#ifndef PYTHONIC_TIME_PERF_COUNTER_HPP
#define PYTHONIC_TIME_PERF_COUNTER_HPP

#include "pythonic/include/time/perf_counter.hpp"

#include "dayfly/abi.h"

PYTHONIC_NS_BEGIN

namespace time
{
  inline double perf_counter()
  {
    return static_cast<double>(dayfly_clock(DAYFLY_CLOCK_MONOTONIC)) / 1e9;
  }
} // namespace time
PYTHONIC_NS_END

#endif
