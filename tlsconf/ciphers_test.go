package tlsconf

import (
	"crypto/tls"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSuiteNames pairs the names as `openssl ciphers -stdname` does, for every suite that Go has.
func TestSuiteNames(t *testing.T) {
	want := map[string]string{
		"TLS_AES_128_GCM_SHA256":                        "TLS_AES_128_GCM_SHA256",
		"TLS_AES_256_GCM_SHA384":                        "TLS_AES_256_GCM_SHA384",
		"TLS_CHACHA20_POLY1305_SHA256":                  "TLS_CHACHA20_POLY1305_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA":          "ECDHE-ECDSA-AES128-SHA",
		"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256":       "ECDHE-ECDSA-AES128-SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256":       "ECDHE-ECDSA-AES128-GCM-SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA":          "ECDHE-ECDSA-AES256-SHA",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384":       "ECDHE-ECDSA-AES256-GCM-SHA384",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
		"TLS_ECDHE_ECDSA_WITH_RC4_128_SHA":              "ECDHE-ECDSA-RC4-SHA",
		"TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA":           "ECDHE-RSA-DES-CBC3-SHA",
		"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA":            "ECDHE-RSA-AES128-SHA",
		"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256":         "ECDHE-RSA-AES128-SHA256",
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256":         "ECDHE-RSA-AES128-GCM-SHA256",
		"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA":            "ECDHE-RSA-AES256-SHA",
		"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384":         "ECDHE-RSA-AES256-GCM-SHA384",
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256":   "ECDHE-RSA-CHACHA20-POLY1305",
		"TLS_ECDHE_RSA_WITH_RC4_128_SHA":                "ECDHE-RSA-RC4-SHA",
		"TLS_RSA_WITH_3DES_EDE_CBC_SHA":                 "DES-CBC3-SHA",
		"TLS_RSA_WITH_AES_128_CBC_SHA":                  "AES128-SHA",
		"TLS_RSA_WITH_AES_128_CBC_SHA256":               "AES128-SHA256",
		"TLS_RSA_WITH_AES_128_GCM_SHA256":               "AES128-GCM-SHA256",
		"TLS_RSA_WITH_AES_256_CBC_SHA":                  "AES256-SHA",
		"TLS_RSA_WITH_AES_256_GCM_SHA384":               "AES256-GCM-SHA384",
		"TLS_RSA_WITH_RC4_128_SHA":                      "RC4-SHA",
	}
	got := map[string]string{}
	for _, s := range suites() {
		got[s.iana] = s.openssl
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseCiphers(t *testing.T) {
	tests := []struct {
		name, in string
		want     []uint16
	}{
		{"OpenSSL", "ECDHE-RSA-AES128-GCM-SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{"IANA", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{"lower case and spaces", "aes128-sha : ecdhe-rsa-aes256-sha", []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}},
		{"twice", "AES128-SHA:TLS_RSA_WITH_AES_128_CBC_SHA", []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCiphers(tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestParseCiphersRefuses(t *testing.T) {
	const best = "use one of ECDHE-ECDSA-AES128-SHA, ECDHE-ECDSA-AES256-SHA, ECDHE-RSA-AES128-SHA"
	tests := []struct {
		name, in string
		want     failure
	}{
		{"TLS 1.3", "AES128-SHA:TLS_AES_128_GCM_SHA256", failure{
			`--ciphers "TLS_AES_128_GCM_SHA256": the cipher suites of TLS 1.3 cannot be chosen, they are always on`,
			[]string{"leave it out; to rule out TLS 1.3 use --tls-version tlsv1.2"}}},
		{"misspelt", "ECDHE-RSA-AES-128-GCM-SHA265", failure{`--ciphers "ECDHE-RSA-AES-128-GCM-SHA265": unknown cipher suite`,
			[]string{"use one of ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-SHA, ECDHE-ECDSA-AES128-GCM-SHA256"}}},
		{"misspelt IANA name", "TLS_ECDHE_RSA_AES_256_GCM_SHA384", failure{`--ciphers "TLS_ECDHE_RSA_AES_256_GCM_SHA384": unknown cipher suite`,
			[]string{"use one of TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"}}},
		{"empty", "", failure{`--ciphers: an empty name in the list`, nil}},
		{"empty between", "AES128-SHA::AES256-SHA", failure{`--ciphers: an empty name in the list`, nil}},
		{"keyword", "HIGH", failure{`--ciphers "HIGH": is an OpenSSL keyword; only names of cipher suites are understood`, []string{best}}},
		{"exclusion", "!aNULL", failure{`--ciphers "!aNULL": is an OpenSSL keyword; only names of cipher suites are understood`, []string{best}}},
		{"no such key exchange", "DHE-RSA-AES256-GCM-SHA384", failure{
			`--ciphers "DHE-RSA-AES256-GCM-SHA384": DHE key exchange is not supported, because Go's TLS has none`,
			[]string{"use one of ECDHE-RSA-AES256-GCM-SHA384, ECDHE-ECDSA-AES256-GCM-SHA384, AES256-GCM-SHA384"}}},
		{"no such key exchange, IANA", "TLS_PSK_WITH_AES_128_CBC_SHA", failure{
			`--ciphers "TLS_PSK_WITH_AES_128_CBC_SHA": PSK key exchange is not supported, because Go's TLS has none`,
			[]string{"use one of TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_CBC_SHA"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseCiphers(tt.in)
			if diff := cmp.Diff(tt.want, failed(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
