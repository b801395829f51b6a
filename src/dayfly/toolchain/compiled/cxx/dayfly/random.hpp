// Where random numbers come from. A snapshot holds none: the first one of a request asks the host for a seed.
#pragma once
#include <cstdint>
#include <limits>

#include "abi.h"

namespace dayfly
{
  // xoshiro256**: 32 octets of state, so that a request dirties no page for it.
  class random_source
  {
    uint64_t state_[4] = {};
    bool seeded_ = false;

    static uint64_t rotated(uint64_t value, int by)
    {
      return value << by | value >> (64 - by);
    }

  public:
    using result_type = uint64_t;
    static constexpr result_type min()
    {
      return 0;
    }
    static constexpr result_type max()
    {
      return std::numeric_limits<result_type>::max();
    }

    // The numbers of a seed are always the same, but not those of CPython.
    void seed(uint64_t value)
    {
      for (uint64_t &word : state_) {
        uint64_t mixed = value += 0x9e3779b97f4a7c15;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
        word = mixed ^ mixed >> 31;
      }
      seeded_ = true;
    }

    void seed_from_host()
    {
      dayfly_random(state_, sizeof state_);
      seeded_ = true;
    }

    result_type operator()()
    {
      if (!seeded_)
        seed_from_host();
      uint64_t result = rotated(state_[1] * 5, 7) * 9, shifted = state_[1] << 17;
      state_[2] ^= state_[0];
      state_[3] ^= state_[1];
      state_[1] ^= state_[2];
      state_[0] ^= state_[3];
      state_[2] ^= shifted;
      state_[3] = rotated(state_[3], 45);
      return result;
    }

    double fraction()
    {
      return static_cast<double>((*this)() >> 11) * 0x1p-53;
    }
  };
} // namespace dayfly
