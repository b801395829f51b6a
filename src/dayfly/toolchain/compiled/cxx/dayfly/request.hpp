// What `on_client_request` is given: parts of the frame as Python strings.
#pragma once
#include <pythonic/include/types/str.hpp>
#include <pythonic/types/str.hpp>

#include "abi.h"

namespace dayfly
{
  using text = pythonic::types::str;

  inline text from_host(dayfly_text part)
  {
    return text(part.data, part.size);
  }

  inline int hex_digit(char c)
  {
    if (c >= '0' && c <= '9')
      return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  }

  // As urllib.parse.unquote: a percent sign that no two hex digits follow stays as it is.
  inline text percent_decoded(dayfly_text part)
  {
    std::string out;
    out.reserve(part.size);
    for (uint32_t index = 0; index < part.size; index++) {
      char c = part.data[index];
      if (c == '%' && index + 2 < part.size) {
        int high = hex_digit(part.data[index + 1]), low = hex_digit(part.data[index + 2]);
        if (high >= 0 && low >= 0) {
          c = static_cast<char>(high << 4 | low);
          index += 2;
        }
      }
      out.push_back(c);
    }
    return text(std::move(out));
  }

  inline text method(dayfly_frame const &frame)
  {
    return from_host(frame.method);
  }

  inline text path(dayfly_frame const &frame)
  {
    return percent_decoded(frame.path);
  }

  inline text query(dayfly_frame const &frame)
  {
    return from_host(frame.query);
  }

  // The first octets came with the frame; the host hands out the rest on demand.
  inline text body(dayfly_frame const &frame)
  {
    std::string out(frame.body_bytes_total, '\0');
    uint32_t filled = frame.body.size;
    out.replace(0, filled, frame.body.data, filled);
    while (filled < out.size()) {
      int32_t got = dayfly_body_read(filled, out.data() + filled, out.size() - filled);
      if (got <= 0)
        break;
      filled += got;
    }
    out.resize(filled);
    return text(std::move(out));
  }
} // namespace dayfly
