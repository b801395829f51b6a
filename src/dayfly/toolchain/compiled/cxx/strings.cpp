#include "dayfly/strings.h"

#include <algorithm>

namespace dayfly
{
  namespace
  {
    bool lower_letter(char c)
    {
      return c >= 'a' && c <= 'z';
    }
    bool upper_letter(char c)
    {
      return c >= 'A' && c <= 'Z';
    }
    bool letter(char c)
    {
      return lower_letter(c) || upper_letter(c);
    }
    bool digit(char c)
    {
      return c >= '0' && c <= '9';
    }
    bool space(char c)
    {
      return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
    }
    char lowered(char c)
    {
      return upper_letter(c) ? static_cast<char>(c + 32) : c;
    }
    char uppered(char c)
    {
      return lower_letter(c) ? static_cast<char>(c - 32) : c;
    }

    template <class Test>
    std::string_view strip_if(std::string_view text, side where, Test test)
    {
      if (where != side::right)
        while (!text.empty() && test(text.front()))
          text.remove_prefix(1);
      if (where != side::left)
        while (!text.empty() && test(text.back()))
          text.remove_suffix(1);
      return text;
    }

    template <class Change>
    std::string changed(std::string_view text, Change change)
    {
      std::string out(text);
      std::transform(out.begin(), out.end(), out.begin(), change);
      return out;
    }

    template <class Test>
    bool all(std::string_view text, Test test)
    {
      return !text.empty() && std::all_of(text.begin(), text.end(), test);
    }

    // A slice's bounds, put inside the text.
    int64_t inside(int64_t bound, size_t size)
    {
      int64_t most = static_cast<int64_t>(size);
      if (bound < 0)
        bound = std::max<int64_t>(bound + most, 0);
      return std::min(bound, most);
    }

    // The part between two bounds; `absent` if they exclude even an empty part.
    struct window {
      std::string_view text;
      int64_t start;
      bool absent;
      window(std::string_view whole, int64_t from, int64_t to)
      {
        int64_t size = static_cast<int64_t>(whole.size());
        start = from < 0 ? std::max<int64_t>(from + size, 0) : from;
        int64_t end = inside(to, whole.size());
        absent = start > end;
        text = absent ? std::string_view() : whole.substr(start, end - start);
      }
    };

    void keep_reversed(texts &parts)
    {
      std::reverse(parts.begin(), parts.end());
    }
  } // namespace

  std::string_view strip(std::string_view text, side where)
  {
    return strip_if(text, where, space);
  }

  std::string_view strip(std::string_view text, std::string_view octets, side where)
  {
    return strip_if(text, where, [octets](char c) { return octets.find(c) != octets.npos; });
  }

  texts split_spaces(std::string_view text, int64_t most)
  {
    texts parts;
    for (text = strip(text, side::left); !text.empty(); text = strip(text, side::left)) {
      if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
        parts.push_back(strip(text, side::right));
        break;
      }
      size_t size = std::find_if(text.begin(), text.end(), space) - text.begin();
      parts.push_back(text.substr(0, size));
      text.remove_prefix(size);
    }
    return parts;
  }

  texts split(std::string_view text, std::string_view separator, int64_t most)
  {
    texts parts;
    for (size_t at; (most < 0 || static_cast<int64_t>(parts.size()) < most) && (at = text.find(separator)) != text.npos;) {
      parts.push_back(text.substr(0, at));
      text.remove_prefix(at + separator.size());
    }
    parts.push_back(text);
    return parts;
  }

  texts split_spaces_right(std::string_view text, int64_t most)
  {
    texts parts;
    for (text = strip(text, side::right); !text.empty(); text = strip(text, side::right)) {
      if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
        parts.push_back(strip(text, side::left));
        break;
      }
      size_t start = text.rend() - std::find_if(text.rbegin(), text.rend(), space);
      parts.push_back(text.substr(start));
      text = text.substr(0, start);
    }
    keep_reversed(parts);
    return parts;
  }

  texts split_right(std::string_view text, std::string_view separator, int64_t most)
  {
    texts parts;
    for (size_t at; (most < 0 || static_cast<int64_t>(parts.size()) < most) && (at = text.rfind(separator)) != text.npos;) {
      parts.push_back(text.substr(at + separator.size()));
      text = text.substr(0, at);
    }
    parts.push_back(text);
    keep_reversed(parts);
    return parts;
  }

  texts split_lines(std::string_view text, bool keep_ends)
  {
    texts parts;
    while (!text.empty()) {
      size_t size = text.find_first_of("\n\r\v\f\x1c\x1d\x1e"), ended = size;
      if (size == text.npos)
        size = ended = text.size();
      else
        ended += text[size] == '\r' && size + 1 < text.size() && text[size + 1] == '\n' ? 2 : 1;
      parts.push_back(text.substr(0, keep_ends ? ended : size));
      text.remove_prefix(ended);
    }
    return parts;
  }

  int64_t find(std::string_view text, std::string_view part, int64_t start, int64_t end)
  {
    window seen(text, start, end);
    size_t at = seen.absent ? seen.text.npos : seen.text.find(part);
    return at == seen.text.npos ? -1 : seen.start + static_cast<int64_t>(at);
  }

  int64_t find_right(std::string_view text, std::string_view part, int64_t start, int64_t end)
  {
    window seen(text, start, end);
    size_t at = seen.absent ? seen.text.npos : seen.text.rfind(part);
    return at == seen.text.npos ? -1 : seen.start + static_cast<int64_t>(at);
  }

  int64_t count(std::string_view text, std::string_view part, int64_t start, int64_t end)
  {
    window seen(text, start, end);
    if (seen.absent)
      return 0;
    if (part.empty())
      return static_cast<int64_t>(seen.text.size()) + 1;
    int64_t found = 0;
    for (size_t at = 0; (at = seen.text.find(part, at)) != seen.text.npos; at += part.size())
      found++;
    return found;
  }

  bool starts_with(std::string_view text, std::string_view part, int64_t start, int64_t end)
  {
    window seen(text, start, end);
    return !seen.absent && seen.text.starts_with(part);
  }

  bool ends_with(std::string_view text, std::string_view part, int64_t start, int64_t end)
  {
    window seen(text, start, end);
    return !seen.absent && seen.text.ends_with(part);
  }

  std::string replace(std::string_view text, std::string_view old, std::string_view with, int64_t most)
  {
    std::string out;
    int64_t done = 0;
    auto more = [&] { return most < 0 || done < most; };
    if (old.empty()) {
      for (char c : text) {
        if (more()) {
          out += with;
          done++;
        }
        out += c;
      }
      return more() ? out.append(with) : out;
    }
    for (size_t at; more() && (at = text.find(old)) != text.npos; done++) {
      out.append(text.substr(0, at)).append(with);
      text.remove_prefix(at + old.size());
    }
    return out.append(text);
  }

  std::string lower(std::string_view text)
  {
    return changed(text, lowered);
  }

  std::string upper(std::string_view text)
  {
    return changed(text, uppered);
  }

  std::string capitalize(std::string_view text)
  {
    std::string out = lower(text);
    if (!out.empty())
      out[0] = uppered(out[0]);
    return out;
  }

  std::string title(std::string_view text)
  {
    bool inside_word = false;
    return changed(text, [&inside_word](char c) {
      char result = inside_word ? lowered(c) : uppered(c);
      inside_word = letter(c);
      return result;
    });
  }

  std::string swapcase(std::string_view text)
  {
    return changed(text, [](char c) { return lower_letter(c) ? uppered(c) : lowered(c); });
  }

  std::string justify(std::string_view text, int64_t width, std::string_view fill, side where)
  {
    int64_t size = static_cast<int64_t>(text.size()), missing = width - size;
    if (missing <= 0)
      return std::string(text);
    // CPython puts the odd one on the left of an odd width's text.
    int64_t before = where == side::left ? 0 : where == side::right ? missing : missing / 2 + (missing & width & 1);
    std::string out;
    for (int64_t index = 0; index < before; index++)
      out += fill;
    out += text;
    for (int64_t index = before; index < missing; index++)
      out += fill;
    return out;
  }

  std::string zfill(std::string_view text, int64_t width)
  {
    size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+');
    return std::string(text.substr(0, sign)) + justify(text.substr(sign), width - static_cast<int64_t>(sign), "0", side::right);
  }

  bool is_alpha(std::string_view text)
  {
    return all(text, letter);
  }

  bool is_digit(std::string_view text)
  {
    return all(text, digit);
  }

  bool is_alnum(std::string_view text)
  {
    return all(text, [](char c) { return letter(c) || digit(c); });
  }

  bool is_space(std::string_view text)
  {
    return all(text, space);
  }

  bool is_lower(std::string_view text)
  {
    return std::any_of(text.begin(), text.end(), lower_letter) && std::none_of(text.begin(), text.end(), upper_letter);
  }

  bool is_upper(std::string_view text)
  {
    return std::any_of(text.begin(), text.end(), upper_letter) && std::none_of(text.begin(), text.end(), lower_letter);
  }
} // namespace dayfly
