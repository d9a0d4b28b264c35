package tlsconf

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// suite is a cipher suite under both of its names.
type suite struct {
	id            uint16
	iana, openssl string
	tls13         bool
}

// suites lists what Go's TLS has, from the best to the merely possible.
func suites() []suite {
	var all []suite
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		all = append(all, suite{c.ID, c.Name, opensslName(c.Name), slices.Min(c.SupportedVersions) == tls.VersionTLS13})
	}
	return all
}

// opensslName spells an IANA name as OpenSSL does: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is
// ECDHE-RSA-AES128-GCM-SHA256. A plain RSA key exchange goes unsaid, and so does CBC.
func opensslName(iana string) string {
	kx, rest, ok := strings.Cut(strings.TrimPrefix(iana, "TLS_"), "_WITH_")
	if !ok {
		return iana // TLS 1.3: one name for both
	}
	rest = strings.NewReplacer("AES_128", "AES128", "AES_256", "AES256", "_CBC_SHA", "_SHA",
		"3DES_EDE_CBC", "DES_CBC3", "RC4_128", "RC4", "CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305").Replace(rest)
	if kx != "RSA" {
		rest = kx + "_" + rest
	}
	return strings.ReplaceAll(rest, "_", "-")
}

// ParseCiphers reads a value of --ciphers: names of OpenSSL or IANA, separated by colons.
func ParseCiphers(s string) ([]uint16, error) {
	var ids []uint16
	for _, name := range strings.Split(s, ":") {
		id, err := parseCipher(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func parseCipher(name string) (uint16, error) {
	fail := func(reason string, fix ...string) (uint16, error) {
		return 0, &Error{Flag: flagCiphers, Value: name, Reason: reason, Fix: fix}
	}
	for _, s := range suites() {
		switch {
		case !strings.EqualFold(name, s.iana) && !strings.EqualFold(name, s.openssl):
		case s.tls13:
			return fail("the cipher suites of TLS 1.3 cannot be chosen, they are always on",
				fmt.Sprintf("leave it out; to rule out TLS 1.3 use %s tlsv1.2", flagVersion))
		default:
			return s.id, nil
		}
	}
	near := "use one of " + strings.Join(nearSuites(name), ", ")
	kx, _, _ := strings.Cut(strings.TrimPrefix(strings.ToUpper(name), "TLS_"), "_WITH_")
	kx, _, _ = strings.Cut(strings.ReplaceAll(kx, "_", "-"), "-")
	switch {
	case name == "":
		return fail("an empty name in the list")
	case strings.ContainsAny(name[:1], "!+-@") || slices.Contains(keywords, strings.ToUpper(name)):
		return fail("is an OpenSSL keyword; only names of cipher suites are understood", near)
	case slices.Contains([]string{"DHE", "EDH", "DH", "PSK", "SRP", "ADH", "AECDH"}, kx):
		return fail(fmt.Sprintf("%s key exchange is not supported, because Go's TLS has none", kx), near)
	}
	return fail("unknown cipher suite", near)
}

// keywords are the words that stand for many suites in OpenSSL's cipher lists.
var keywords = []string{"ALL", "DEFAULT", "HIGH", "MEDIUM", "LOW", "COMPLEMENTOFALL", "COMPLEMENTOFDEFAULT", "ECDHE",
	"EECDH", "AES", "AES128", "AES256", "AESGCM", "CHACHA20", "RSA", "ECDSA", "TLSV1.2", "SUITEB128", "SUITEB192", "ENULL", "NULL"}

// nearSuites returns the three names that share most words with an unknown one, in the spelling it used.
func nearSuites(name string) []string {
	words := func(s string) []string {
		s = strings.NewReplacer("AES-128", "AES128", "AES-256", "AES256").Replace(strings.ReplaceAll(strings.ToUpper(s), "_", "-"))
		return strings.Split(s, "-")
	}
	want := words(name)
	score := func(s suite) (n int) {
		for _, w := range words(s.openssl) {
			if slices.Contains(want, w) {
				n++
			}
		}
		return n
	}
	all := slices.DeleteFunc(suites(), func(s suite) bool { return s.tls13 })
	slices.SortStableFunc(all, func(a, b suite) int { return cmp.Compare(score(b), score(a)) })
	var names []string
	for _, s := range all[:3] {
		if strings.HasPrefix(strings.ToUpper(name), "TLS_") {
			names = append(names, s.iana)
		} else {
			names = append(names, s.openssl)
		}
	}
	return names
}
