package connect

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// URL is what a -L/--url says: where the server is, who asks, and optionally the topic.
type URL struct {
	Network     Network
	Host        string
	Port        int // 0 means the network's default
	SocketPath  string
	Path        string // WS and WSS: the path and query of the WebSocket, "" for the default
	Username    string
	Password    Secret
	HasPassword bool
	Topic       string // "" when the URL has none
}

var urlNetworks = map[string]Network{
	"mqtt": TCP, "tcp": TCP, "mqtts": TLS, "tls": TLS, "ssl": TLS, "ws": WS, "wss": WSS, "unix": Unix,
}

// ParseURL reads mqtt://, mqtts://, ws://, wss:// (user:password@host:port) and unix:///path. Percent-encoding is
// decoded everywhere, IPv6 addresses stand in brackets. After mqtt:// and mqtts:// the path, taken to the letter with
// "#", "+" and "?", is the topic; after ws:// and wss:// it is the path of the WebSocket. The error is an *OptionError
// that does not show user name or password.
func ParseURL(s string) (*URL, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	network, known := urlNetworks[strings.ToLower(scheme)]
	switch {
	case !ok || !known:
		return nil, urlError(s, "want mqtt://, mqtts://, ws://, wss:// or unix:///", "for example mqtt://broker.example.com:1883/home/heater")
	case network == Unix:
		return parseUnixURL(s, rest)
	}
	u := &URL{Network: network}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if err := u.parseAuthority(s, authority); err != nil {
		if strings.Contains(path, "@") { // then what was taken for host and port is user and password
			return nil, urlError(s, `the user name or password holds a "/" or "?"`, `write "/" as %2F and "?" as %3F`)
		}
		return nil, err
	}
	if network == WS || network == WSS {
		u.Path = path
		return u, nil
	}
	topic, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	if err != nil {
		return nil, urlError(s, `the topic holds a "%" that is not followed by two hex digits`, `write a literal "%" as %25`)
	}
	u.Topic = topic
	return u, nil
}

func parseUnixURL(s, rest string) (*URL, error) {
	path, err := url.PathUnescape(rest)
	if err != nil {
		return nil, urlError(s, `the path holds a "%" that is not followed by two hex digits`, `write a literal "%" as %25`)
	}
	if !strings.HasPrefix(path, "/") {
		return nil, urlError(s, "want an absolute path after unix://", "for example unix:///run/mosquitto.sock")
	}
	return &URL{Network: Unix, SocketPath: path}, nil
}

func (u *URL) parseAuthority(s, authority string) error {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, pw, has := strings.Cut(authority[:i], ":")
		authority = authority[i+1:]
		var err1, err2 error
		u.Username, err1 = url.PathUnescape(user)
		pw, err2 = url.PathUnescape(pw)
		if err1 != nil || err2 != nil {
			return urlError(s, `the user name or password holds a "%" that is not followed by two hex digits`, `write a literal "%" as %25`)
		}
		u.Password, u.HasPassword = Secret(pw), has
	}
	host, port := authority, ""
	switch i := strings.LastIndexByte(authority, ':'); {
	case strings.HasPrefix(authority, "["):
		end := strings.IndexByte(authority, ']')
		if end < 0 || (authority[end+1:] != "" && authority[end+1] != ':') {
			return urlError(s, `the IPv6 address has no closing "]"`, "write it as mqtt://[::1]:1883")
		}
		host, port = authority[1:end], strings.TrimPrefix(authority[end+1:], ":")
		if addr, _, _ := strings.Cut(host, "%"); net.ParseIP(addr) == nil || !strings.Contains(addr, ":") {
			return urlError(s, "what stands in brackets is not an IPv6 address", "write it as mqtt://[::1]:1883")
		}
	case strings.Count(authority, ":") > 1:
		return urlError(s, "more than one colon in host and port", "an IPv6 address stands in brackets: mqtt://[::1]:1883")
	case i >= 0:
		host, port = authority[:i], authority[i+1:]
	}
	if strings.Contains(host, "%") {
		decoded, err := url.PathUnescape(host)
		if err != nil {
			hint := ""
			if strings.HasPrefix(authority, "[") {
				hint = "write a zone as mqtt://[fe80::1%25eth0]"
			}
			return urlError(s, `the host holds a "%" that is not followed by two hex digits`, hint)
		}
		host = decoded
	}
	if host == "" {
		return urlError(s, "the host is missing", "for example mqtt://localhost/topic")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return urlError(s, fmt.Sprintf("port %q: want 1 to 65535", port), "")
		}
		u.Port = int(n)
	}
	u.Host = host
	return nil
}

// urlError leaves out everything before the last "@", where user name and password stand.
func urlError(s, reason, hint string) error {
	e := &OptionError{Flag: "url", Value: RedactURL(s), Reason: reason}
	if hint != "" {
		e.hints = []string{hint}
	}
	return e
}

// RedactURL returns s with user name and password masked, also when s is not a valid URL. It would rather mask too much,
// as in a topic with an "@", than show a password that holds an unencoded "/" or "@".
func RedactURL(s string) string {
	end := strings.LastIndexByte(s, '@')
	if end < 0 {
		return s
	}
	scheme, _, _ := strings.Cut(s[:end], "://")
	if _, known := urlNetworks[strings.ToLower(scheme)]; !known && proxyPorts[scheme] == 0 {
		return "•••" + s[end:] // what looks like a scheme may be a user name, with a password of slashes
	}
	return scheme + "://•••" + s[end:]
}
