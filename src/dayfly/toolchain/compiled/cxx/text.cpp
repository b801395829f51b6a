#include "dayfly/text.h"

#include <charconv>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// libc++'s Ryu, for its shortest digits alone: std::to_chars would link 100 KiB of tables for the other formats too.
#include "ryu/d2s.cpp"

namespace dayfly
{
  namespace
  {
    constexpr char digit_chars[] = "0123456789abcdef";

    // -- integers

    // Digits of the magnitude in a base up to 16, least significant last.
    std::string_view digits_of(uint64_t magnitude, unsigned base, bool upper, char (&buffer)[65])
    {
      char *end = buffer + sizeof buffer, *at = end;
      do {
        char digit = digit_chars[magnitude % base];
        *--at = upper && digit >= 'a' ? static_cast<char>(digit - 32) : digit;
        magnitude /= base;
      } while (magnitude);
      return {at, static_cast<size_t>(end - at)};
    }

    uint64_t magnitude_of(int64_t value)
    {
      return value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
    }

    // -- floats

    struct decimal {
      std::string digits; // no leading zero, except for zero itself
      int point;          // the value is 0.DIGITS * 10^point
    };

    // Digits before and after the point, or an exponent where Python writes one.
    void lay_out(std::string &out, decimal const &number)
    {
      int count = static_cast<int>(number.digits.size()), point = number.point;
      if (point <= -4 || point > 16) {
        out += number.digits[0];
        if (count > 1)
          out.append(".").append(number.digits, 1);
        int exponent = point - 1;
        out += exponent < 0 ? "e-" : "e+";
        if (std::abs(exponent) < 10)
          out += '0';
        append_int(out, std::abs(exponent));
      } else if (point <= 0) {
        out.append("0.").append(-point, '0').append(number.digits);
      } else if (point >= count) {
        out.append(number.digits).append(point - count, '0').append(".0");
      } else {
        out.append(number.digits, 0, point).append(".").append(number.digits, point);
      }
    }

    decimal shortest(double magnitude)
    {
      if (magnitude == 0)
        return {"0", 1};
      uint64_t bits;
      memcpy(&bits, &magnitude, sizeof bits);
      uint64_t mantissa = bits & ((uint64_t{1} << 52) - 1);
      uint32_t exponent = static_cast<uint32_t>(bits >> 52);
      std::__floating_decimal_64 found;
      if (std::__d2d_small_int(mantissa, exponent, &found)) {
        while (found.__mantissa % 10 == 0) {
          found.__mantissa /= 10;
          ++found.__exponent;
        }
      } else {
        found = std::__d2d(mantissa, exponent);
      }
      char buffer[65];
      std::string digits(digits_of(found.__mantissa, 10, false, buffer));
      int point = static_cast<int>(digits.size()) + found.__exponent;
      return {std::move(digits), point};
    }

    std::string printed(char const *format, int precision, double value)
    {
      std::string out(64, '\0');
      int size = snprintf(out.data(), out.size(), format, precision, value);
      if (size >= static_cast<int>(out.size())) {
        out.resize(size + 1);
        snprintf(out.data(), out.size(), format, precision, value);
      }
      out.resize(size);
      return out;
    }

    char const *not_finite(double value)
    {
      return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    }

    // -- the format mini-language

    struct spec {
      char fill = ' ';
      char align = 0;
      char sign = '-';
      bool alternate = false;
      int width = 0;
      char grouping = 0;
      int precision = -1;
      char type = 0;
    };

    bool is_align(char c)
    {
      return c == '<' || c == '>' || c == '=' || c == '^';
    }

    bool read_number(std::string_view &rest, int &number)
    {
      number = 0;
      bool any = false;
      for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), any = true)
        if (number < 1 << 24)
          number = number * 10 + (rest[0] - '0');
      return any;
    }

    bool take(std::string_view &rest, char c)
    {
      if (rest.empty() || rest[0] != c)
        return false;
      rest.remove_prefix(1);
      return true;
    }

    problem read_spec(std::string_view rest, spec &result)
    {
      if (rest.size() > 1 && is_align(rest[1])) {
        result.fill = rest[0];
        result.align = rest[1];
        rest.remove_prefix(2);
      } else if (!rest.empty() && is_align(rest[0])) {
        result.align = rest[0];
        rest.remove_prefix(1);
      }
      if (!rest.empty() && (rest[0] == '+' || rest[0] == '-' || rest[0] == ' ')) {
        result.sign = rest[0];
        rest.remove_prefix(1);
      }
      result.alternate = take(rest, '#');
      if (take(rest, '0') && !result.align) {
        result.fill = '0';
        result.align = '=';
      }
      read_number(rest, result.width);
      if (!rest.empty() && (rest[0] == ',' || rest[0] == '_')) {
        result.grouping = rest[0];
        rest.remove_prefix(1);
      }
      if (take(rest, '.') && !read_number(rest, result.precision))
        return {fault::value_error, "Format specifier missing precision"};
      if (!rest.empty()) {
        result.type = rest[0];
        rest.remove_prefix(1);
      }
      return rest.empty() ? problem{} : problem{fault::value_error, "Invalid format specifier"};
    }

    size_t characters(std::string_view text)
    {
      size_t count = 0;
      for (char c : text)
        count += (c & 0xc0) != 0x80;
      return count;
    }

    void pad(std::string &out, std::string_view prefix, std::string_view body, spec const &how, char default_align)
    {
      size_t size = prefix.size() + characters(body), width = how.width;
      size_t missing = size < width ? width - size : 0;
      char align = how.align ? how.align : default_align;
      size_t before = align == '>' ? missing : align == '^' ? missing / 2 : 0;
      out.append(before, how.fill).append(prefix);
      if (align == '=')
        out.append(missing, how.fill);
      out.append(body);
      if (align == '<' || align == '^')
        out.append(missing - before, how.fill);
    }

    // Separators between groups of digits before the point. Zeros that fill the width are grouped too.
    std::string grouped(std::string_view digits, spec const &how, size_t taken)
    {
      size_t whole = digits.find_first_not_of("0123456789abcdefABCDEF");
      if (whole == std::string_view::npos || how.type == 'e' || how.type == 'g')
        whole = std::min(digits.find('.'), digits.size());
      size_t every = how.type == 'b' || how.type == 'o' || how.type == 'x' || how.type == 'X' ? 4 : 3;
      std::string integer(digits.substr(0, whole));
      auto size_with = [&](size_t count) { return count + (how.grouping ? (count - 1) / every : 0); };
      if (how.fill == '0' && how.align == '=')
        while (size_with(integer.size()) + digits.size() - whole + taken < static_cast<size_t>(how.width))
          integer.insert(0, 1, '0');
      std::string out;
      for (size_t index = 0; index < integer.size(); index++) {
        if (how.grouping && index && (integer.size() - index) % every == 0)
          out += how.grouping;
        out += integer[index];
      }
      return out.append(digits.substr(whole));
    }

    std::string sign_of(bool negative, char sign)
    {
      return negative ? "-" : sign == '-' ? "" : std::string(1, sign);
    }

    problem unknown_type(char type, char const *name)
    {
      return {fault::value_error, std::string("Unknown format code '") + type + "' for object of type '" + name + "'"};
    }

    problem format_int(std::string &out, int64_t value, spec const &how)
    {
      if (how.precision >= 0)
        return {fault::value_error, "Precision not allowed in integer format specifier"};
      if (how.type == 'c') {
        if (value < 0 || value > 127)
          return {fault::overflow_error, "%c arg not in range(128)"};
        char c = static_cast<char>(value);
        pad(out, "", {&c, 1}, how, '<');
        return {};
      }
      unsigned base = how.type == 'b' ? 2 : how.type == 'o' ? 8 : how.type == 'x' || how.type == 'X' ? 16 : 10;
      char buffer[65];
      std::string prefix = sign_of(value < 0, how.sign);
      if (how.alternate && base != 10)
        prefix.append("0").append(1, how.type);
      std::string body = grouped(digits_of(magnitude_of(value), base, how.type == 'X', buffer), how, prefix.size());
      pad(out, prefix, body, how, '>');
      return {};
    }

    void upper(std::string &text)
    {
      for (char &c : text)
        if (c >= 'a' && c <= 'z')
          c -= 32;
    }

    std::string float_body(double magnitude, spec const &how)
    {
      if (!std::isfinite(magnitude))
        return not_finite(magnitude);
      int precision = how.precision < 0 ? 6 : how.precision;
      switch (how.type | 0x20) {
      case 'e':
        return printed(how.alternate ? "%#.*e" : "%.*e", precision, magnitude);
      case 'f':
        return printed(how.alternate ? "%#.*f" : "%.*f", precision, magnitude);
      case 'g':
      case 'n':
        return printed(how.alternate ? "%#.*g" : "%.*g", precision, magnitude);
      case '%':
        return printed("%.*f", precision, magnitude * 100) + "%";
      default:
        break;
      }
      std::string body;
      if (how.precision < 0) {
        append_float(body, magnitude);
        return body;
      }
      // No type: as `g`, but with a digit after the point, and the exponent begins one decimal earlier.
      body = printed("%.*e", std::max(precision, 1) - 1, magnitude);
      size_t e = body.find('e');
      int exponent = atoi(body.c_str() + e + 1);
      if (exponent < -4 || exponent >= std::max(precision, 1) - 1) {
        size_t last = body.find_last_not_of('0', e - 1);
        if (body.find('.') < e)
          body.erase(body[last] == '.' ? last : last + 1, e - (body[last] == '.' ? last : last + 1));
        return body;
      }
      body = printed("%.*g", std::max(precision, 1), magnitude);
      if (body.find('.') == std::string::npos)
        body += ".0";
      return body;
    }

    problem format_float(std::string &out, double value, spec const &how)
    {
      std::string prefix = sign_of(std::signbit(value) && !std::isnan(value), how.sign);
      std::string body = float_body(std::fabs(value), how);
      if (how.type == 'E' || how.type == 'F' || how.type == 'G')
        upper(body);
      if (std::isfinite(value))
        body = grouped(body, how, prefix.size());
      pad(out, prefix, body, how, '>');
      return {};
    }

    problem format_text(std::string &out, std::string_view value, spec const &how)
    {
      if (how.align == '=' && how.fill != '0')
        return {fault::value_error, "'=' alignment not allowed in string format specifier"};
      spec text = how;
      if (text.align == '=')
        text.align = '<';
      if (how.precision >= 0) {
        size_t end = 0;
        for (int left = how.precision; end < value.size(); end++)
          if ((value[end] & 0xc0) != 0x80 && left-- == 0)
            break;
        value = value.substr(0, end);
      }
      pad(out, "", value, text, '<');
      return {};
    }

    bool is_float_type(char type)
    {
      return type && strchr("eEfFgG%", type);
    }

    bool is_int_type(char type)
    {
      return !type || strchr("bcdoxXn", type);
    }

    // -- the % operator

    struct directive {
      spec how;
      bool left = false, zero = false;
    };

    struct percent {
      std::string &out;
      std::string_view format;
      argument const *values;
      size_t count, next = 0;

      problem shortage() const
      {
        return {fault::type_error, "not enough arguments for format string"};
      }

      // A number in the format, or the next argument for `*`.
      problem number(int &result)
      {
        if (!take(format, '*')) {
          read_number(format, result);
          return {};
        }
        if (next == count)
          return shortage();
        if (values[next].kind != argument::integer)
          return {fault::type_error, "* wants int"};
        result = static_cast<int>(values[next++].int_value);
        return {};
      }

      problem read(directive &result)
      {
        for (bool flags = true; flags && !format.empty();) {
          switch (format[0]) {
          case '-':
            result.left = true;
            break;
          case '0':
            result.zero = true;
            break;
          case '+':
            result.how.sign = '+';
            break;
          case ' ':
            if (result.how.sign != '+')
              result.how.sign = ' ';
            break;
          case '#':
            result.how.alternate = true;
            break;
          default:
            flags = false;
          }
          if (flags)
            format.remove_prefix(1);
        }
        if (problem found = number(result.how.width))
          return found;
        if (result.how.width < 0) {
          result.left = true;
          result.how.width = -result.how.width;
        }
        if (take(format, '.')) {
          result.how.precision = 0;
          if (problem found = number(result.how.precision))
            return found;
        }
        while (!format.empty() && strchr("hlL", format[0]))
          format.remove_prefix(1);
        if (format.empty())
          return {fault::value_error, "incomplete format"};
        result.how.type = format[0];
        format.remove_prefix(1);
        result.how.align = result.left ? '<' : '>';
        return {};
      }

      problem wrong(char type, char const *wanted, argument const &value) const
      {
        return {fault::type_error, std::string("%") + type + " format: " + wanted + ", not " + value.type_name};
      }

      problem integer(directive how, argument const &value)
      {
        int64_t number = value.int_value;
        char type = how.how.type == 'i' || how.how.type == 'u' ? 'd' : how.how.type;
        if (value.kind == argument::real && type == 'd') {
          if (!std::isfinite(value.float_value) || std::fabs(value.float_value) >= 9223372036854775808.0)
            return {fault::overflow_error, "cannot convert float to a 64-bit integer"};
          number = static_cast<int64_t>(value.float_value);
        } else if (value.kind != argument::integer && value.kind != argument::boolean) {
          return wrong(how.how.type, type == 'd' ? "a real number is required" : "an integer is required", value);
        }
        unsigned base = type == 'o' ? 8 : type == 'd' ? 10 : 16;
        char buffer[65];
        std::string body(digits_of(magnitude_of(number), base, type == 'X', buffer));
        if (how.how.precision > static_cast<int>(body.size()))
          body.insert(0, how.how.precision - body.size(), '0');
        std::string prefix = sign_of(number < 0, how.how.sign);
        if (how.how.alternate && base != 10)
          prefix.append("0").append(1, type);
        return padded(how, prefix, body);
      }

      problem real(directive how, argument const &value)
      {
        double number = value.kind == argument::real ? value.float_value : static_cast<double>(value.int_value);
        if (value.kind == argument::text || value.kind == argument::other)
          return {fault::type_error, std::string("must be real number, not ") + value.type_name};
        std::string body = float_body(std::fabs(number), how.how);
        if (how.how.type < 'a')
          upper(body);
        return padded(how, sign_of(std::signbit(number) && !std::isnan(number), how.how.sign), body);
      }

      problem padded(directive how, std::string const &prefix, std::string const &body)
      {
        if (how.zero && !how.left) {
          how.how.fill = '0';
          how.how.align = '=';
        }
        pad(out, prefix, body, how.how, '>');
        return {};
      }

      problem character(directive const &how, argument const &value)
      {
        std::string body;
        if (value.kind == argument::integer && value.int_value >= 0 && value.int_value < 128)
          body.assign(1, static_cast<char>(value.int_value));
        else if (value.kind == argument::text)
          value.append_str(body, value.object);
        if (characters(body) != 1)
          return {fault::type_error, "%c requires int or char"};
        pad(out, "", body, how.how, '>');
        return {};
      }

      problem one()
      {
        directive how;
        if (problem found = read(how))
          return found;
        if (how.how.type == '%') {
          out += '%';
          return {};
        }
        if (next == count)
          return shortage();
        argument const &value = values[next++];
        switch (how.how.type) {
        case 's':
        case 'r':
        case 'a': {
          std::string text;
          (how.how.type == 's' ? value.append_str : value.append_repr)(text, value.object);
          return format_text(out, text, how.how);
        }
        case 'd':
        case 'i':
        case 'u':
        case 'o':
        case 'x':
        case 'X':
          return integer(how, value);
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
          return real(how, value);
        case 'c':
          return character(how, value);
        default:
          return {fault::value_error,
                  std::string("unsupported format character '") + how.how.type + "' in a format string"};
        }
      }
    };

    // -- arrays

    constexpr int array_precision = 8;

    std::string right_aligned(std::string text, size_t width)
    {
      if (text.size() < width)
        text.insert(0, width - text.size(), ' ');
      return text;
    }

    // A float of an array cut at its point; one that is not finite has no point.
    struct cut_float {
      std::string whole, fraction;
      bool finite;
    };

    cut_float cut(std::string const &text)
    {
      size_t point = text.find('.');
      return {text.substr(0, point), point == text.npos ? "" : text.substr(point + 1), point != text.npos};
    }

    void strip_zeros(std::string &digits)
    {
      digits.resize(digits.find_last_not_of('0') + 1);
    }

    cut_float positional(double value)
    {
      if (!std::isfinite(value))
        return {not_finite(value), "", false};
      std::string text;
      append_float(text, value);
      cut_float parts = cut(text);
      if (text.find('e') != text.npos || parts.fraction.size() > array_precision)
        parts = cut(printed("%.*f", array_precision, value));
      strip_zeros(parts.fraction);
      return parts;
    }

    // Digits of the mantissa after the point; the exponent is cut off.
    std::string mantissa_digits(double value)
    {
      std::string text = printed("%.*e", array_precision, value);
      std::string digits = text.substr(text.find('.') + 1, array_precision);
      strip_zeros(digits);
      return digits;
    }

    bool wants_exponents(std::vector<double> const &values)
    {
      double most = 0, least = HUGE_VAL;
      for (double value : values)
        if (std::isfinite(value) && value != 0) {
          most = std::max(most, std::fabs(value));
          least = std::min(least, std::fabs(value));
        }
      return most >= 1e8 || (most > 0 && (least < 1e-4 || most / least > 1000));
    }

    std::vector<std::string> with_exponents(std::vector<double> const &values)
    {
      size_t digits = 0, width = 0;
      for (double value : values)
        if (std::isfinite(value))
          digits = std::max(digits, mantissa_digits(value).size());
      std::vector<std::string> texts;
      for (double value : values) {
        std::string text = not_finite(value);
        if (std::isfinite(value)) {
          text = printed("%.*e", static_cast<int>(digits), value);
          if (digits == 0)
            text.insert(text.find('e'), ".");
        }
        width = std::max(width, text.size());
        texts.push_back(std::move(text));
      }
      for (std::string &text : texts)
        text = right_aligned(std::move(text), width);
      return texts;
    }

    constexpr size_t array_line_width = 75;

    // The innermost axis, wrapped where numpy wraps it.
    void append_row(std::string &out, std::vector<std::string> const &texts, size_t &next, size_t count, size_t depth)
    {
      std::string indent(depth + 1, ' '), line = indent;
      for (size_t index = 0; index < count; index++) {
        std::string const &text = texts[next++];
        if (line.size() + text.size() > array_line_width - depth - 1) {
          line.resize(line.find_last_not_of(' ') + 1);
          out.append(line, line.size() > depth ? depth + 1 : line.size()).append("\n").append(indent);
          line = indent;
        }
        line += text;
        if (index + 1 < count)
          line += ' ';
      }
      out.append(line, depth + 1);
    }

    void append_axis(std::string &out, std::vector<std::string> const &texts, size_t &next,
                     std::vector<size_t> const &shape, size_t axis)
    {
      out += '[';
      if (axis + 1 == shape.size())
        append_row(out, texts, next, shape[axis], axis);
      else
        for (size_t index = 0; index < shape[axis]; index++) {
          if (index)
            out.append(shape.size() - axis - 1, '\n').append(axis + 1, ' ');
          append_axis(out, texts, next, shape, axis + 1);
        }
      out += ']';
    }

    // -- reading numbers

    bool is_space(char c)
    {
      return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
    }

    std::string_view stripped(std::string_view text)
    {
      while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
      while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
      return text;
    }

    int digit_value(char c)
    {
      if (c >= '0' && c <= '9')
        return c - '0';
      c |= 0x20;
      return c >= 'a' && c <= 'z' ? c - 'a' + 10 : INT_MAX;
    }

    // The base that a prefix names, 0 if there is none.
    int prefix_base(std::string_view text)
    {
      if (text.size() < 2 || text[0] != '0')
        return 0;
      char letter = text[1] | 0x20;
      return letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    }

    // Underscores stand between digits only.
    bool accumulate(std::string_view digits, int base, uint64_t &total, bool &too_large)
    {
      bool after_digit = false;
      for (char c : digits) {
        if (c == '_' && after_digit) {
          after_digit = false;
          continue;
        }
        int digit = digit_value(c);
        if (digit >= base)
          return false;
        uint64_t next;
        too_large |= __builtin_mul_overflow(total, static_cast<uint64_t>(base), &next) ||
                     __builtin_add_overflow(next, static_cast<uint64_t>(digit), &total);
        after_digit = true;
      }
      return after_digit;
    }

    bool without_underscores(std::string_view text, std::string &out)
    {
      char previous = 0;
      for (size_t index = 0; index < text.size(); index++) {
        char c = text[index];
        auto is_digit = [](char d) { return d >= '0' && d <= '9'; };
        if (c == '_') {
          if (!is_digit(previous) || index + 1 == text.size() || !is_digit(text[index + 1]))
            return false;
        } else {
          out += c;
        }
        previous = c;
      }
      return true;
    }
  } // namespace

  void append_int(std::string &out, int64_t value)
  {
    char buffer[65];
    if (value < 0)
      out += '-';
    out += digits_of(magnitude_of(value), 10, false, buffer);
  }

  void append_float(std::string &out, double value)
  {
    if (!std::isfinite(value)) {
      out += not_finite(value);
      return;
    }
    if (std::signbit(value))
      out += '-';
    lay_out(out, shortest(std::fabs(value)));
  }

  void append_quoted(std::string &out, std::string_view value)
  {
    bool has_single = value.find('\'') != value.npos, has_double = value.find('"') != value.npos;
    char quote = has_single && !has_double ? '"' : '\'';
    out += quote;
    for (char c : value) {
      unsigned char octet = static_cast<unsigned char>(c);
      if (c == quote || c == '\\')
        out.append("\\").append(1, c);
      else if (c == '\n')
        out += "\\n";
      else if (c == '\r')
        out += "\\r";
      else if (c == '\t')
        out += "\\t";
      else if (octet < 0x20 || octet == 0x7f)
        out.append("\\x").append(1, digit_chars[octet >> 4]).append(1, digit_chars[octet & 15]);
      else
        out += c;
    }
    out += quote;
  }

  problem parse_int(std::string_view text, int64_t base, int64_t &value)
  {
    if (base != 0 && (base < 2 || base > 36))
      return {fault::value_error, "int() base must be >= 2 and <= 36, or 0"};
    std::string_view digits = stripped(text);
    bool negative = take(digits, '-');
    if (!negative)
      take(digits, '+');
    int named = prefix_base(digits);
    if (named && (base == 0 || base == named)) {
      digits.remove_prefix(2);
      take(digits, '_');
    }
    int effective = base ? static_cast<int>(base) : named ? named : 10;
    uint64_t total = 0;
    bool too_large = false, old_octal = base == 0 && !named && digits.size() > 1 && digits[0] == '0' &&
                                        digits.find_first_not_of("0_") != digits.npos;
    if (old_octal || !accumulate(digits, effective, total, too_large)) {
      problem found{fault::value_error, "invalid literal for int() with base "};
      append_int(found.message, base);
      found.message += ": ";
      append_quoted(found.message, text);
      return found;
    }
    if (too_large || total > static_cast<uint64_t>(INT64_MAX) + negative)
      return {fault::overflow_error, "int too large: the compiled tier has 64 bits"};
    value = static_cast<int64_t>(negative ? 0 - total : total);
    return {};
  }

  problem parse_float(std::string_view text, double &value)
  {
    std::string digits;
    bool sound = without_underscores(stripped(text), digits) && !digits.empty();
    // strtod also reads hexadecimal and nan(...), which Python does not.
    sound = sound && digits.find_first_of("xX(") == digits.npos;
    char *end = digits.data();
    if (sound)
      value = strtod(digits.c_str(), &end);
    if (sound && end == digits.data() + digits.size())
      return {};
    problem found{fault::value_error, "could not convert string to float: "};
    append_quoted(found.message, text);
    return found;
  }

  problem format_value(std::string &out, argument const &value, std::string_view text)
  {
    spec how;
    if (problem found = read_spec(text, how))
      return found;
    if (text.empty() || (value.kind == argument::boolean && !how.type)) {
      std::string plain;
      value.append_str(plain, value.object);
      return format_text(out, plain, how);
    }
    switch (value.kind) {
    case argument::integer:
    case argument::boolean:
      if (is_float_type(how.type))
        return format_float(out, static_cast<double>(value.int_value), how);
      return is_int_type(how.type) ? format_int(out, value.int_value, how) : unknown_type(how.type, value.type_name);
    case argument::real:
      return !how.type || how.type == 'n' || is_float_type(how.type) ? format_float(out, value.float_value, how)
                                                                     : unknown_type(how.type, value.type_name);
    case argument::text: {
      if (how.type && how.type != 's')
        return unknown_type(how.type, value.type_name);
      std::string plain;
      value.append_str(plain, value.object);
      return format_text(out, plain, how);
    }
    default:
      return {fault::type_error,
              std::string("unsupported format string passed to ") + value.type_name + ".__format__"};
    }
  }

  problem format_percent(std::string &out, std::string_view format, argument const *values, size_t count)
  {
    percent state{out, format, values, count};
    while (!state.format.empty()) {
      size_t plain = std::min(state.format.find('%'), state.format.size());
      out.append(state.format, 0, plain);
      state.format.remove_prefix(plain);
      if (take(state.format, '%'))
        if (problem found = state.one())
          return found;
    }
    if (state.next < count)
      return {fault::type_error, "not all arguments converted during string formatting"};
    return {};
  }

  std::vector<std::string> array_texts(std::vector<double> const &values)
  {
    if (wants_exponents(values))
      return with_exponents(values);
    std::vector<cut_float> parts;
    size_t whole = 0, fraction = 0;
    for (double value : values) {
      parts.push_back(positional(value));
      fraction = std::max(fraction, parts.back().fraction.size());
    }
    for (cut_float const &part : parts) {
      size_t after = part.finite ? 0 : fraction + 1;
      whole = std::max(whole, part.whole.size() > after ? part.whole.size() - after : 0);
    }
    std::vector<std::string> texts;
    for (cut_float &part : parts) {
      std::string text = right_aligned(part.whole, part.finite ? whole : whole + 1 + fraction);
      if (part.finite)
        text.append(".").append(part.fraction).append(fraction - part.fraction.size(), ' ');
      texts.push_back(std::move(text));
    }
    return texts;
  }

  std::vector<std::string> array_texts(std::vector<int64_t> const &values)
  {
    std::vector<std::string> texts;
    size_t width = 0;
    for (int64_t value : values) {
      texts.emplace_back();
      append_int(texts.back(), value);
      width = std::max(width, texts.back().size());
    }
    for (std::string &text : texts)
      text = right_aligned(std::move(text), width);
    return texts;
  }

  std::vector<std::string> array_texts(std::vector<bool> const &values)
  {
    std::vector<std::string> texts;
    for (bool value : values)
      texts.push_back(value ? " True" : "False");
    return texts;
  }

  void append_array(std::string &out, std::vector<std::string> const &texts, std::vector<size_t> const &shape)
  {
    size_t next = 0;
    append_axis(out, texts, next, shape, 0);
  }

  double round_to(double value, int64_t digits)
  {
    if (!std::isfinite(value) || digits > 323)
      return value;
    if (digits < -308)
      return std::copysign(0.0, value);
    if (digits >= 0)
      return strtod(printed("%.*f", static_cast<int>(digits), value).c_str(), nullptr);
    // Negative digits: the decimal digits of the integral part, cut by the number's own correct rounding.
    std::string exact = printed("%.*e", 40, value);
    int exponent = atoi(exact.c_str() + exact.find('e') + 1);
    int kept = exponent + static_cast<int>(digits);
    if (kept < -1)
      return std::copysign(0.0, value);
    if (kept == -1) {
      double unit = strtod(("1e" + std::to_string(-digits)).c_str(), nullptr);
      return std::fabs(value) * 2 > unit ? std::copysign(unit, value) : std::copysign(0.0, value);
    }
    return strtod(printed("%.*e", kept, value).c_str(), nullptr);
  }
} // namespace dayfly
