// The methods of str: glue between Pythran's types and strings.h. Every pythonic/builtins/str/*.hpp leads here.
#pragma once
#include <limits>

#include "faults.hpp"
#include "strings.h"

#include <pythonic/include/types/NoneType.hpp>
#include <pythonic/include/types/list.hpp>
#include <pythonic/include/types/str.hpp>
#include <pythonic/include/types/tuple.hpp>
#include <pythonic/include/utils/functor.hpp>
#include <pythonic/types/NoneType.hpp>
#include <pythonic/types/list.hpp>
#include <pythonic/types/str.hpp>
#include <pythonic/types/tuple.hpp>

PYTHONIC_NS_BEGIN
namespace builtins
{
  namespace str
  {
    namespace details
    {
      using text = types::str;
      using list = types::list<types::str>;
      constexpr long long everything = std::numeric_limits<long long>::max();

      inline text own(std::string_view part)
      {
        return text(part.data(), part.size());
      }

      inline list own(::dayfly::texts const &parts)
      {
        list out(0);
        out.reserve(parts.size());
        for (std::string_view part : parts)
          out.push_back(own(part));
        return out;
      }

      inline std::string_view separator(text const &value)
      {
        if (value.empty())
          show::raise_value_error("empty separator");
        return value.chars();
      }

      inline std::string_view one_character(text const &value)
      {
        long characters = 0;
        for (char c : value.chars())
          characters += (c & 0xc0) != 0x80;
        if (characters != 1)
          show::raise_type_error("The fill character must be exactly one character long");
        return value.chars();
      }
    } // namespace details

#define DAYFLY_FUNCTOR(name) DEFINE_FUNCTOR(pythonic::builtins::str, name);

#define DAYFLY_CHANGE(name)                        \
  inline types::str name(types::str const &self)   \
  {                                                \
    return {::dayfly::name(self.chars())};         \
  }                                                \
  DAYFLY_FUNCTOR(name)
    DAYFLY_CHANGE(lower)
    DAYFLY_CHANGE(upper)
    DAYFLY_CHANGE(capitalize)
    DAYFLY_CHANGE(title)
    DAYFLY_CHANGE(swapcase)
#undef DAYFLY_CHANGE

#define DAYFLY_TEST(name, test)              \
  inline bool name(types::str const &self)   \
  {                                          \
    return ::dayfly::test(self.chars());     \
  }                                          \
  DAYFLY_FUNCTOR(name)
    DAYFLY_TEST(isalpha, is_alpha)
    DAYFLY_TEST(isdigit, is_digit)
    DAYFLY_TEST(isalnum, is_alnum)
    DAYFLY_TEST(isspace, is_space)
    DAYFLY_TEST(islower, is_lower)
    DAYFLY_TEST(isupper, is_upper)
#undef DAYFLY_TEST

#define DAYFLY_STRIP(name, where)                                                                 \
  inline types::str name(types::str const &self, types::none_type const & = {})                   \
  {                                                                                               \
    return details::own(::dayfly::strip(self.chars(), ::dayfly::side::where));                    \
  }                                                                                               \
  inline types::str name(types::str const &self, types::str const &octets)                        \
  {                                                                                               \
    return details::own(::dayfly::strip(self.chars(), octets.chars(), ::dayfly::side::where));    \
  }                                                                                               \
  DAYFLY_FUNCTOR(name)
    DAYFLY_STRIP(strip, both)
    DAYFLY_STRIP(lstrip, left)
    DAYFLY_STRIP(rstrip, right)
#undef DAYFLY_STRIP

#define DAYFLY_SPLIT(name, at_spaces, at_text)                                                                 \
  inline types::list<types::str> name(types::str const &self, types::none_type const & = {}, long long most = -1) \
  {                                                                                                            \
    return details::own(::dayfly::at_spaces(self.chars(), most));                                              \
  }                                                                                                            \
  inline types::list<types::str> name(types::str const &self, types::str const &separator, long long most = -1) \
  {                                                                                                            \
    return details::own(::dayfly::at_text(self.chars(), details::separator(separator), most));                 \
  }                                                                                                            \
  DAYFLY_FUNCTOR(name)
    DAYFLY_SPLIT(split, split_spaces, split)
    DAYFLY_SPLIT(rsplit, split_spaces_right, split_right)
#undef DAYFLY_SPLIT

    inline types::list<types::str> splitlines(types::str const &self, bool keep_ends = false)
    {
      return details::own(::dayfly::split_lines(self.chars(), keep_ends));
    }
    DAYFLY_FUNCTOR(splitlines)

#define DAYFLY_SEARCH(name, type, search)                                                              \
  inline type name(types::str const &self, types::str const &part, long long start = 0,                \
                   long long end = details::everything)                                                \
  {                                                                                                    \
    return ::dayfly::search(self.chars(), part.chars(), start, end);                                   \
  }                                                                                                    \
  inline type name(types::str const &self, types::str const &part, types::none_type const &,           \
                   long long end = details::everything)                                                \
  {                                                                                                    \
    return ::dayfly::search(self.chars(), part.chars(), 0, end);                                       \
  }                                                                                                    \
  DAYFLY_FUNCTOR(name)
    DAYFLY_SEARCH(find, long long, find)
    DAYFLY_SEARCH(rfind, long long, find_right)
    DAYFLY_SEARCH(startswith, bool, starts_with)
    DAYFLY_SEARCH(endswith, bool, ends_with)
#undef DAYFLY_SEARCH

    inline types::str replace(types::str const &self, types::str const &old, types::str const &with, long long most = -1)
    {
      return {::dayfly::replace(self.chars(), old.chars(), with.chars(), most)};
    }
    DAYFLY_FUNCTOR(replace)

    inline types::str removeprefix(types::str const &self, types::str const &part)
    {
      std::string_view text = self.chars();
      return text.starts_with(part.chars()) ? details::own(text.substr(part.size())) : self;
    }
    DAYFLY_FUNCTOR(removeprefix)

    inline types::str removesuffix(types::str const &self, types::str const &part)
    {
      std::string_view text = self.chars();
      return text.ends_with(part.chars()) ? details::own(text.substr(0, text.size() - part.size())) : self;
    }
    DAYFLY_FUNCTOR(removesuffix)

#define DAYFLY_JUSTIFY(name, where)                                                                                 \
  inline types::str name(types::str const &self, long long width, types::str const &fill = types::str(' '))         \
  {                                                                                                                 \
    return {::dayfly::justify(self.chars(), width, details::one_character(fill), ::dayfly::side::where)};           \
  }                                                                                                                 \
  DAYFLY_FUNCTOR(name)
    DAYFLY_JUSTIFY(ljust, left)
    DAYFLY_JUSTIFY(rjust, right)
    DAYFLY_JUSTIFY(center, both)
#undef DAYFLY_JUSTIFY

    inline types::str zfill(types::str const &self, long long width)
    {
      return {::dayfly::zfill(self.chars(), width)};
    }
    DAYFLY_FUNCTOR(zfill)

    inline types::array_tuple<types::str, 3> partition(types::str const &self, types::str const &separator)
    {
      std::string_view text = self.chars(), by = details::separator(separator);
      size_t at = text.find(by);
      if (at == text.npos)
        return {{self, {}, {}}};
      return {{details::own(text.substr(0, at)), separator, details::own(text.substr(at + by.size()))}};
    }
    DAYFLY_FUNCTOR(partition)

    inline types::array_tuple<types::str, 3> rpartition(types::str const &self, types::str const &separator)
    {
      std::string_view text = self.chars(), by = details::separator(separator);
      size_t at = text.rfind(by);
      if (at == text.npos)
        return {{{}, {}, self}};
      return {{details::own(text.substr(0, at)), separator, details::own(text.substr(at + by.size()))}};
    }
    DAYFLY_FUNCTOR(rpartition)

    template <class Iterable>
    types::str join(types::str const &self, Iterable &&parts)
    {
      std::string out;
      bool first = true;
      for (auto &&part : parts) {
        static_assert(show::textual<decltype(part)>, "dayfly: str.join() wants strings; write str(item)");
        if (!first)
          out += self.chars();
        first = false;
        show::append_str(out, part);
      }
      return {std::move(out)};
    }
    DAYFLY_FUNCTOR(join)
#undef DAYFLY_FUNCTOR
  } // namespace str
} // namespace builtins
PYTHONIC_NS_END
