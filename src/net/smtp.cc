#include "net/smtp.h"

#include <boost/url/parse.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

#include "net/curl.h"

namespace hotswap::net {
namespace {

constexpr std::size_t kSubjectBytes = 200;
// RFC 2047: an encoded word has at most 75 characters, of which 63 are left for base64.
constexpr std::size_t kWordBytes = 45;
constexpr long kPermanent = 500;
constexpr long kMostStatus = 599;
// RFC 4954: what the server says to who is not, or not well enough, authenticated. Whoever runs it can mend that.
constexpr std::array<long, 4> kUnauthenticated{530, 534, 535, 538};

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  // Writes a NUL behind it, for which std::string has room.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  return text;
}

// At most `size` bytes, and no part of a character of UTF-8.
std::string_view beginning(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  constexpr unsigned kContinuation = 0x80;
  constexpr unsigned kKind = 0xC0;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & kKind) == kContinuation) --size;
  return text.substr(0, size);
}

// What a header may hold: one line, other than ASCII as encoded words.
std::string header_text(std::string_view subject) {
  std::string text(beginning(subject, kSubjectBytes));
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return text;
  std::string words;
  for (std::string_view rest = text; !rest.empty();) {
    const auto word = beginning(rest, kWordBytes);
    words += fmt::format("{}=?UTF-8?B?{}?=", words.empty() ? "" : " ", base64(word));
    rest.remove_prefix(word.size());
  }
  return words;
}

// Lines end as RFC 5322 has it; the encoder takes anything else for data.
std::string with_crlf(std::string_view text) {
  std::string lines;
  for (const char c : text) {
    if (c == '\n' && !lines.ends_with('\r')) lines += '\r';
    lines += c;
  }
  return lines;
}

// RFC 5322: "Sat, 21 Nov 2026 20:00:00 +0000"
std::string date_text(TimePoint at) {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(at - day));
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", kDays.at(std::chrono::weekday(day).c_encoding()),
                     static_cast<unsigned>(date.day()), kMonths.at(static_cast<unsigned>(date.month()) - 1),
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

std::string_view domain_of(std::string_view address) {
  const auto at = address.rfind('@');
  return at == std::string_view::npos ? "localhost" : address.substr(at + 1);
}

int stop_early(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stop)->load() ? 1 : 0;
}

Error error_of(CURL* handle, CURLcode code, std::string_view text) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  std::string detail = text.empty() ? std::string(curl_easy_strerror(code)) : std::string(text);
  if (code == CURLE_ABORTED_BY_CALLBACK) return {ErrorKind::kUnavailable, "stopped", {}};
  if (code == CURLE_OPERATION_TIMEDOUT) return {ErrorKind::kDeadline, std::move(detail), {}};
  const bool answered = code == CURLE_SEND_ERROR || code == CURLE_WEIRD_SERVER_REPLY;
  const bool for_ever = answered && status >= kPermanent && status <= kMostStatus &&
                        std::ranges::find(kUnauthenticated, status) == kUnauthenticated.end();
  if (answered && status != 0) detail += fmt::format(" (status {})", status);
  return {for_ever ? ErrorKind::kInvalid : ErrorKind::kUpstream, std::move(detail), {}};
}

void set_server(CURL* handle, const SmtpOptions& options) {
  curl_easy_setopt(handle, CURLOPT_URL, options.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");  // the environment's are for other things
  curl_easy_setopt(handle, CURLOPT_USE_SSL, options.plain ? CURLUSESSL_NONE : CURLUSESSL_ALL);
  verify_server(handle, options.ca_file);
  if (!options.user.empty()) {
    curl_easy_setopt(handle, CURLOPT_USERNAME, options.user.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, options.password.c_str());
  }
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
}

}  // namespace

Result<> check(const SmtpOptions& options) {
  std::vector<FieldError> errors;
  const auto url = boost::urls::parse_uri(options.url);
  const bool named = url && (url->scheme() == "smtp" || url->scheme() == "smtps") && !url->host().empty();
  if (!named) {
    errors.push_back({"url", "must be smtp://HOST[:PORT] or smtps://HOST[:PORT]"});
  } else {
    const bool more =
        url->has_userinfo() || url->has_query() || url->has_fragment() || (!url->path().empty() && url->path() != "/");
    if (more) errors.push_back({"url", "must hold a host and a port alone; user and password are stated apart"});
    if (options.plain && url->scheme() == "smtps") errors.push_back({"plain", "is for smtp:// alone"});
  }
  if (options.plain && !options.user.empty()) {
    errors.push_back({"plain", "would send the password in the clear: leave it out, or the user"});
  }
  if (options.user.empty() != options.password.empty()) {
    errors.push_back({"user", "belongs together with the password"});
  }
  if (errors.empty()) return {};
  return fail_fields(std::move(errors));
}

Result<> send_mail(const SmtpOptions& options, const SmtpMail& mail, const std::atomic<bool>& stop) {
  const auto handle = make_curl();
  if (!handle) return fail(ErrorKind::kInternal, "libcurl cannot be started");
  set_server(handle.get(), options);
  std::array<char, CURL_ERROR_SIZE> problem{};
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, problem.data());
  curl_easy_setopt(handle.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFOFUNCTION, &stop_early);
  curl_easy_setopt(handle.get(), CURLOPT_XFERINFODATA, &stop);

  const std::string sender = fmt::format("<{}>", options.from);
  CurlList recipients;
  recipients.add(fmt::format("<{}>", mail.to));
  curl_easy_setopt(handle.get(), CURLOPT_MAIL_FROM, sender.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_MAIL_RCPT, recipients.get());
  CurlList headers;
  headers.add("Date: " + date_text(mail.at));
  headers.add("From: HotSwap " + sender);
  headers.add(fmt::format("To: <{}>", mail.to));
  headers.add("Subject: " + header_text(mail.subject));
  headers.add(fmt::format("Message-ID: <{}@{}>", mail.id, domain_of(options.from)));
  headers.add("Auto-Submitted: auto-generated");  // RFC 3834: nobody on holiday answers it
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  const std::unique_ptr<curl_mime, CurlCloser> mime(curl_mime_init(handle.get()));
  auto* part = curl_mime_addpart(mime.get());
  const std::string text = with_crlf(mail.text);
  curl_mime_data(part, text.data(), text.size());
  curl_mime_type(part, "text/plain; charset=utf-8");
  curl_mime_encoder(part, "quoted-printable");
  curl_easy_setopt(handle.get(), CURLOPT_MIMEPOST, mime.get());

  const CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_OK) return {};
  return std::unexpected(error_of(handle.get(), code, problem.data()));
}

}  // namespace hotswap::net
