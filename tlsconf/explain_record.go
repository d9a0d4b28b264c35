package tlsconf

import (
	"crypto/tls"
	"errors"
	"strconv"
	"strings"
)

// notTLS explains bytes that are no TLS record.
func (e explainer) notTLS(err error) (string, []string, bool) {
	var re tls.RecordHeaderError
	if !errors.As(err, &re) {
		return "", nil, false
	}
	if re.Conn == nil { // it began like TLS
		return "the server sent a damaged TLS record: " + clean(re.Msg), []string{hintTLSPort}, true
	}
	h := string(re.RecordHeader[:])
	switch {
	case strings.HasPrefix(h, "HTTP"):
		return "the server speaks HTTP without TLS on this port",
			[]string{hintTLSPort, "or, for MQTT over WebSocket without TLS, use ws:// in place of wss://"}, true
	case strings.HasPrefix(h, "SSH-"):
		return "the server speaks SSH on this port, not TLS", []string{hintTLSPort}, true
	case plainMQTT(re.RecordHeader):
		return "the server speaks MQTT without TLS on this port", []string{hintTLSPort, hintNoTLS}, true
	}
	return "the server speaks no TLS on this port", []string{hintTLSPort, hintNoTLS}, true
}

// plainMQTT recognises a CONNACK or a DISCONNECT, the only packets a broker sends first.
func plainMQTT(h [5]byte) bool {
	const connack, disconnect = 0x20, 0xE0
	return (h[0] == connack || h[0] == disconnect) && h[1] >= 2 && h[1] < 0x80
}

// plainTexts are failures that crypto/tls reports by text alone. A test provokes each, so that a new Go release that
// rewords one is noticed.
var plainTexts = []struct {
	prefix  string
	explain func(e explainer, rest string) (string, []string)
}{
	{"server selected unsupported protocol version ", explainVersion},
	{"server chose an unconfigured cipher suite", func(explainer, string) (string, []string) {
		return "the server chose a cipher suite that was not offered", []string{"drop " + flagCiphers}
	}},
	{"server selected unadvertised ALPN protocol", func(explainer, string) (string, []string) {
		return "the server chose an ALPN protocol that was not offered", []string{"offer the one it wants, such as " + flagALPN + " mqtt"}
	}},
	{"", func(_ explainer, rest string) (string, []string) {
		return "the TLS handshake failed: " + clean(rest), nil
	}},
}

func explainVersion(e explainer, hex string) (string, []string) {
	v, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return "the server answered with a TLS version that was not offered", e.versionHints()
	}
	name := tls.VersionName(uint16(v))
	for _, known := range versions {
		if known.id == uint16(v) {
			return "the server speaks only " + name + " or older", []string{"use it: " + flagVersion + " " + known.name}
		}
	}
	return "the server speaks only " + name + " or older, which is not supported", []string{"upgrade the server's TLS library"}
}

func (e explainer) plainText(err error) (string, []string, bool) {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	text, ok := strings.CutPrefix(err.Error(), "tls: ")
	if !ok {
		return "", nil, false
	}
	for _, p := range plainTexts {
		if rest, ok := strings.CutPrefix(text, p.prefix); ok {
			reason, hints := p.explain(e, rest)
			return reason, hints, true
		}
	}
	return "", nil, false
}
