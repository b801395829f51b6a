// What `on_client_request` may return. Each of its returns goes through `dayfly_reply`, which knows at compile time which
// form it is: so that one branch may return a text and another one a status too.
#pragma once
#include <algorithm>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <pythonic/include/types/dict.hpp>
#include <pythonic/include/types/list.hpp>
#include <pythonic/include/types/str.hpp>
#include <pythonic/include/types/tuple.hpp>
#include <pythonic/include/utils/functor.hpp>
#include <pythonic/types/dict.hpp>
#include <pythonic/types/list.hpp>
#include <pythonic/types/str.hpp>
#include <pythonic/types/tuple.hpp>

#include "arithmetic.hpp"
#include "hot.h"
#include "json.hpp"

PYTHONIC_NS_BEGIN
namespace types
{
  // Made while freezing, as the program's own constant texts are.
  inline const str empty_text("");

  struct reply {
    uint32_t status = 0;
    str content_type = empty_text;
    std::vector<std::pair<str, str>> headers;
    str body = empty_text;
  };
} // namespace types

namespace show
{
  template <class T, class = void>
  struct tuple_size_or_0 : std::integral_constant<size_t, 0> {
  };
  template <class T>
  struct tuple_size_or_0<T, std::enable_if_t<!textual<T> && (std::tuple_size<T>::value > 0)>> : std::tuple_size<T> {
  };

  template <size_t I, class T>
  using element = plain<decltype(std::get<I>(std::declval<T const &>()))>;

  template <class T>
  concept keyed = requires(T const &value) { value.items(); };

  template <class T>
  struct json_like : std::false_type {
  };
  template <class T>
  struct json_like<types::list<T>> : std::true_type {
  };
  template <class T, size_t N>
  struct json_like<types::array_base<T, N, types::list_version>> : std::true_type {
  };
  template <class K, class V>
  struct json_like<types::dict<K, V>> : std::true_type {
  };

  inline const types::str plain_text("text/plain; charset=utf-8");
  inline const types::str json_type("application/json");

  inline uint32_t checked_status(long long status)
  {
    if (status < 200 || status > 599) {
      ::dayfly::problem found{::dayfly::fault::value_error, "status is not in 200..599: "};
      ::dayfly::append_int(found.message, status);
      raise(std::move(found));
    }
    return static_cast<uint32_t>(status);
  }

  inline bool is_content_type(std::string_view name)
  {
    constexpr std::string_view wanted = "content-type";
    return std::equal(name.begin(), name.end(), wanted.begin(), wanted.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
  }

  // A dict of strings or pairs of them; the content type has its own place.
  template <class Headers>
  void take_headers(types::reply &out, Headers const &headers)
  {
    auto take = [&out](types::str const &name, types::str const &value) {
      if (is_content_type(name.chars()))
        out.content_type = value;
      else
        out.headers.emplace_back(name, value);
    };
    if constexpr (keyed<Headers>)
      for (auto &&item : headers.items())
        take(types::str(std::get<0>(item)), types::str(std::get<1>(item)));
    else
      for (auto &&item : headers)
        take(types::str(std::get<0>(item)), types::str(std::get<1>(item)));
  }

  // A body that is no text is JSON.
  template <class T>
  void take_body(types::reply &out, T const &body)
  {
    if constexpr (textual<T>) {
      out.body = types::str(body);
    } else {
      static_assert(json_like<T>::value, "dayfly: the body of a reply is a str, or a dict or list that becomes JSON");
      std::string text;
      append_json(text, body);
      if (out.content_type.empty())
        out.content_type = json_type;
      out.body = types::str(std::move(text));
    }
  }

  template <class T>
  void take_parts(types::reply &out, T const &result)
  {
    if constexpr (textual<T> || json_like<T>::value) {
      take_body(out, result);
    } else if constexpr (tuple_size_or_0<T>::value == 2) {
      if constexpr (integral<element<0, T>> && !boolean<element<0, T>>)
        out.status = checked_status(std::get<0>(result));
      else if constexpr (textual<element<0, T>>)
        out.content_type = types::str(std::get<0>(result));
      else
        static_assert(never<T>, "dayfly: a reply of two begins with a content type or a status");
      take_body(out, std::get<1>(result));
    } else if constexpr (tuple_size_or_0<T>::value == 3) {
      static_assert(integral<element<0, T>>, "dayfly: a reply of three is (status, headers, body)");
      out.status = checked_status(std::get<0>(result));
      take_headers(out, std::get<1>(result));
      take_body(out, std::get<2>(result));
    } else {
      static_assert(never<T>, "dayfly: this is no reply; return a str, (content_type, body), (status, body), "
                              "(status, headers, body), a dict or list, or a function that returns one of these");
    }
  }

  template <class T>
  types::reply reply_of(T const &result)
  {
    types::reply out;
    out.status = 200;
    take_parts(out, result);
    if (out.content_type.empty())
      out.content_type = plain_text;
    return out;
  }
} // namespace show

namespace builtins
{
  template <class T>
  types::reply dayfly_reply(T const &result)
  {
    if constexpr (std::is_same_v<T, types::reply>)
      return result;
    else if constexpr (std::is_same_v<T, types::none_type>)
      show::raise_type_error("on_client_request returned None");
    else if constexpr (requires { result.is_none; }) {
      if (result.is_none)
        show::raise_type_error("on_client_request returned None");
      return dayfly_reply(show::value_of(result));
    } else if constexpr (std::is_invocable_v<T const &>)
      return dayfly_reply(result());
    else
      return show::reply_of(result);
  }

  DEFINE_FUNCTOR(pythonic::builtins, dayfly_reply);
} // namespace builtins
PYTHONIC_NS_END

namespace dayfly
{
  inline dayfly_text to_host(pythonic::types::str const &value)
  {
    return {value.c_str(), static_cast<uint32_t>(value.size())};
  }

  // Fields for the host; none take no memory.
  inline void write_headers(std::vector<std::pair<pythonic::types::str, pythonic::types::str>> const &headers)
  {
    if (headers.empty())
      return;
    auto *fields = pythonic::utils::allocate<dayfly_field>(headers.size());
    hot->reply.headers = fields;
    hot->reply.header_count = static_cast<uint32_t>(headers.size());
    for (auto const &[name, value] : headers)
      *fields++ = {to_host(name), to_host(value)};
  }

  // The record points into the reply, which therefore stays.
  inline void write_reply(pythonic::types::reply &&answer)
  {
    using pythonic::types::reply;
    static_assert(sizeof(reply) <= sizeof(hot->reply_object));
    reply const &kept = *new (hot->reply_object) reply(std::move(answer));
    hot->reply.status = kept.status;
    hot->reply.content_type = to_host(kept.content_type);
    hot->reply.body = to_host(kept.body);
    write_headers(kept.headers);
  }
} // namespace dayfly
