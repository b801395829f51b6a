#ifndef PYTHONIC_INCLUDE_OPERATOR_FLOORDIV_HPP
#define PYTHONIC_INCLUDE_OPERATOR_FLOORDIV_HPP

#include "dayfly/arithmetic.hpp"
#include "pythonic/include/numpy/floor_divide.hpp"
#include "pythonic/include/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace operator_
{
  template <class A, class B>
    requires(show::integral<A> && show::integral<B>)
  long floordiv(A const &a, B const &b)
  {
    return show::floor_div(static_cast<long>(a), static_cast<long>(b));
  }

  template <class A, class B>
    requires show::floats<A, B>
  double floordiv(A const &a, B const &b)
  {
    return show::floor_div(static_cast<double>(a), static_cast<double>(b));
  }

  template <class A, class B>
    requires(!show::scalar<A> || !show::scalar<B>)
  auto floordiv(A &&a, B &&b)
      -> decltype(numpy::functor::floor_divide{}(std::forward<A>(a), std::forward<B>(b)))
  {
    return numpy::functor::floor_divide{}(std::forward<A>(a), std::forward<B>(b));
  }

  DEFINE_FUNCTOR(pythonic::operator_, floordiv);
} // namespace operator_
PYTHONIC_NS_END

#endif
