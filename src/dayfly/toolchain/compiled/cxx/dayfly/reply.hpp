// What `on_client_request` may return, turned into a reply record. Which form it is, is known when it is compiled.
#pragma once
#include <tuple>
#include <type_traits>
#include <utility>

#include <pythonic/include/types/dict.hpp>
#include <pythonic/include/types/list.hpp>
#include <pythonic/include/types/str.hpp>
#include <pythonic/include/types/tuple.hpp>
#include <pythonic/types/dict.hpp>
#include <pythonic/types/exceptions.hpp>
#include <pythonic/types/list.hpp>
#include <pythonic/types/str.hpp>
#include <pythonic/types/tuple.hpp>

#include "hot.h"

namespace dayfly
{
  namespace types = pythonic::types;

  template <class T>
  constexpr bool is_text = std::is_convertible_v<T const &, types::str>;

  template <class T>
  constexpr bool is_status = std::is_integral_v<T> && !std::is_same_v<T, bool>;

  template <class T, class = void>
  struct tuple_size_or_0 : std::integral_constant<size_t, 0> {
  };
  template <class T>
  struct tuple_size_or_0<T, std::enable_if_t<!is_text<T> && (std::tuple_size<T>::value > 0)>>
      : std::tuple_size<T> {
  };

  template <size_t I, class T>
  using element = std::decay_t<decltype(std::get<I>(std::declval<T const &>()))>;

  // Lives until the sandbox is thrown away; the record points into it.
  template <class T>
  types::str const &kept(T const &value)
  {
    return *new types::str(value);
  }
  inline types::str const &kept(types::str const &value)
  {
    return value;
  }

  inline dayfly_text to_host(types::str const &value)
  {
    return {value.c_str(), static_cast<uint32_t>(value.size())};
  }

  inline constexpr char plain_text[] = "text/plain; charset=utf-8";

  inline void answer_with(uint32_t status, dayfly_text content_type, dayfly_text body)
  {
    hot->reply.status = status;
    hot->reply.content_type = content_type;
    hot->reply.body = body;
  }

  inline uint32_t checked_status(long long status)
  {
    if (status < 200 || status > 599)
      throw types::ValueError(types::str("status is not in 200..599: ") + types::str(std::to_string(status)));
    return static_cast<uint32_t>(status);
  }

  inline bool is_content_type(types::str const &name)
  {
    constexpr char wanted[] = "content-type";
    if (name.size() != sizeof(wanted) - 1)
      return false;
    for (size_t index = 0; index < sizeof(wanted) - 1; index++)
      if ((name.chars()[index] | 0x20) != wanted[index])
        return false;
    return true;
  }

  // Headers are a dict of strings or a sequence of pairs; the content type has its own place in the record.
  template <class Headers>
  dayfly_text write_headers(Headers const &headers)
  {
    dayfly_text content_type{plain_text, sizeof(plain_text) - 1};
    auto write = [&](types::str const &name, types::str const &value, dayfly_field *fields) {
      if (is_content_type(name))
        content_type = to_host(value);
      else
        fields[hot->reply.header_count++] = {to_host(name), to_host(value)};
    };
    auto *fields = static_cast<dayfly_field *>(pythonic::utils::allocate<dayfly_field>(headers.size()));
    if constexpr (requires { headers.items(); })
      for (auto const &item : headers.items())
        write(kept(std::get<0>(item)), kept(std::get<1>(item)), fields);
    else
      for (auto const &item : headers)
        write(kept(std::get<0>(item)), kept(std::get<1>(item)), fields);
    hot->reply.headers = fields;
    return content_type;
  }

  template <class T>
  constexpr bool unsupported_reply = false;

  template <class R>
  void write_reply(R const &result)
  {
    if constexpr (std::is_invocable_v<R const &>) {
      write_reply(*new auto(result()));
    } else if constexpr (std::is_same_v<R, types::none_type>) {
      throw types::TypeError(types::str("on_client_request returned None"));
    } else if constexpr (is_text<R>) {
      answer_with(200, {plain_text, sizeof(plain_text) - 1}, to_host(kept(result)));
    } else if constexpr (tuple_size_or_0<R>::value == 2) {
      using first = element<0, R>;
      auto const &body = kept(std::get<1>(result));
      if constexpr (is_status<first>)
        answer_with(checked_status(std::get<0>(result)), {plain_text, sizeof(plain_text) - 1}, to_host(body));
      else
        answer_with(200, to_host(kept(std::get<0>(result))), to_host(body));
    } else if constexpr (tuple_size_or_0<R>::value == 3) {
      dayfly_text content_type = write_headers(std::get<1>(result));
      answer_with(checked_status(std::get<0>(result)), content_type, to_host(kept(std::get<2>(result))));
    } else {
      static_assert(unsupported_reply<R>, "dayfly: on_client_request returns something that is no reply");
    }
  }
} // namespace dayfly
