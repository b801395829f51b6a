// Python's arithmetic on bool, int and float. An int has 64 bits; beyond them is an OverflowError, never another number.
#pragma once
#include <cmath>
#include <limits>
#include <type_traits>

#include "faults.hpp"

PYTHONIC_NS_BEGIN
namespace types
{
  class str;
  struct chr;
  template <class S>
  class sliced_str;
  template <class T, bool F>
  struct none;
} // namespace types

namespace show
{
  template <class T>
  struct number {
    using type = T;
  };
  template <class T, T N>
  struct number<std::integral_constant<T, N>> {
    using type = T;
  };
  template <class T>
  struct number<types::none<T, true>> {
    using type = T; // using it as a number raises if it is None
  };
  // What a value counts as: a constant as its type.
  template <class T>
  using number_t = typename number<std::remove_cv_t<std::remove_reference_t<T>>>::type;

  template <class T>
  concept integral = std::is_integral_v<number_t<T>>;

  template <class T>
  concept scalar = std::is_arithmetic_v<number_t<T>>;

  template <class T>
  concept boolean = std::is_same_v<number_t<T>, bool>;

  template <class T>
  concept python_int = std::is_same_v<number_t<T>, long long>;

  // Operands whose result is a Python int. Narrower integers are elements of numpy arrays and keep numpy's rules.
  template <class A, class B>
  concept ints = (python_int<A> && integral<B>) || (integral<A> && python_int<B>) || (boolean<A> && boolean<B>);

  template <class A, class B>
  concept floats = scalar<A> && scalar<B> && (std::is_floating_point_v<number_t<A>> ||
                                              std::is_floating_point_v<number_t<B>>);

  template <class T>
  struct text : std::false_type {
  };
  template <>
  struct text<types::str> : std::true_type {
  };
  template <>
  struct text<types::chr> : std::true_type {
  };
  template <class S>
  struct text<types::sliced_str<S>> : std::true_type {
  };
  template <>
  struct text<char const *> : std::true_type {
  };
  template <size_t N>
  struct text<char[N]> : std::true_type {
  };
  template <>
  struct text<types::none<types::str, false>> : std::true_type {
  };
  template <class T>
  concept textual = text<std::remove_cv_t<std::remove_reference_t<T>>>::value;

  template <class T>
  constexpr bool never = false;

  template <class A, class B>
  concept text_and_number = (textual<A> && scalar<B>) || (scalar<A> && textual<B>);

  template <class T>
  void require_value(T const &value, char const *message)
  {
    if constexpr (requires { value.is_none; })
      if (value.is_none)
        raise_type_error(message);
  }

  inline long long checked_add(long long a, long long b)
  {
    long long result;
    if (__builtin_add_overflow(a, b, &result))
      raise_int_overflow();
    return result;
  }

  inline long long checked_sub(long long a, long long b)
  {
    long long result;
    if (__builtin_sub_overflow(a, b, &result))
      raise_int_overflow();
    return result;
  }

  // A 64-bit product that may overflow is a call into the compiler's library; small factors are the rule.
  inline long long checked_mul(long long a, long long b)
  {
    if (a == static_cast<int>(a) && b == static_cast<int>(b))
      return a * b;
    long long result;
    if (__builtin_mul_overflow(a, b, &result))
      raise_int_overflow();
    return result;
  }

  inline long long checked_neg(long long a)
  {
    return checked_sub(0, a);
  }

  inline long long floor_div(long long a, long long b)
  {
    if (b == 0)
      raise_zero_division_error("division by zero");
    if (b == -1)
      return checked_neg(a);
    long long quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
  }

  inline long long floor_mod(long long a, long long b)
  {
    if (b == 0)
      raise_zero_division_error("division by zero");
    if (b == -1)
      return 0;
    long long rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }

  inline double true_div(double a, double b)
  {
    if (b == 0)
      raise_zero_division_error("division by zero");
    return a / b;
  }

  // As CPython: the remainder has the divisor's sign, zero included.
  inline double floor_mod(double a, double b)
  {
    if (b == 0)
      raise_zero_division_error("division by zero");
    double rest = std::fmod(a, b);
    if (rest == 0)
      return std::copysign(0.0, b);
    return (b < 0) != (rest < 0) ? rest + b : rest;
  }

  inline double floor_div(double a, double b)
  {
    double rest = floor_mod(a, b);
    double quotient = (a - rest) / b;
    if (quotient == 0)
      return std::copysign(0.0, a / b);
    double floor = std::floor(quotient);
    return quotient - floor > 0.5 ? floor + 1 : floor;
  }

  inline long long checked_lshift(long long a, long long count)
  {
    if (count < 0)
      raise_value_error("negative shift count");
    if (a == 0)
      return 0;
    if (count > 62)
      raise_int_overflow();
    long long result = static_cast<long long>(static_cast<unsigned long long>(a) << count);
    if (result >> count != a)
      raise_int_overflow();
    return result;
  }

  inline long long checked_rshift(long long a, long long count)
  {
    if (count < 0)
      raise_value_error("negative shift count");
    return a >> (count > 63 ? 63 : count);
  }

  // The result's type cannot depend on the exponent's value, so a negative one has no answer here.
  inline long long checked_pow(long long base, long long exponent)
  {
    if (exponent < 0)
      raise_value_error("an int to a negative int is a float; write float(x) ** y");
    long long result = 1;
    for (;; base = checked_mul(base, base)) {
      if (exponent & 1)
        result = checked_mul(result, base);
      exponent >>= 1;
      if (exponent == 0)
        return result;
    }
  }

  inline double checked_pow(double base, double exponent)
  {
    if (base == 0 && exponent < 0)
      raise_zero_division_error("0.0 cannot be raised to a negative power");
    if (base < 0 && std::isfinite(base) && std::isfinite(exponent) && exponent != std::floor(exponent))
      raise_value_error("a negative number to a fractional power is complex");
    double result = std::pow(base, exponent);
    if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent))
      raise_overflow_error("(34, 'Numerical result out of range')");
    return result;
  }

  inline long long modular_pow(long long base, long long exponent, long long modulus)
  {
    if (modulus == 0)
      raise_value_error("pow() 3rd argument cannot be 0");
    if (exponent < 0)
      raise_value_error("the compiled tier has no modular inverse");
    __int128 result = floor_mod(1LL, modulus), factor = floor_mod(base, modulus);
    for (; exponent; exponent >>= 1) {
      if (exponent & 1)
        result = result * factor % modulus;
      factor = factor * factor % modulus;
    }
    return floor_mod(static_cast<long long>(result), modulus);
  }

  inline long long checked_int(double value)
  {
    if (std::isnan(value))
      raise_value_error("cannot convert float NaN to integer");
    if (std::isinf(value))
      raise_overflow_error("cannot convert float infinity to integer");
    if (value < -9223372036854775808.0 || value >= 9223372036854775808.0)
      raise_int_overflow();
    return static_cast<long long>(value);
  }

  inline long long checked_abs(long long value)
  {
    return value < 0 ? checked_neg(value) : value;
  }
} // namespace show
PYTHONIC_NS_END
