package tlsconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServerConfig(t *testing.T) {
	tests := []struct {
		name, cafile string
		require      bool
		client       string
		ok           bool
	}{
		{"no client CA, no certificate", "", false, "", true},
		{"no client CA, some certificate", "", false, "client-other-ca", true},
		{"optional, none", "ca.pem", false, "", true},
		{"optional, good", "ca.pem", false, "client", true},
		{"optional, bad", "ca.pem", false, "client-other-ca", false},
		{"required, none", "ca.pem", true, "", false},
		{"required, good", "ca.pem", true, "client", true},
		{"required, bad", "ca.pem", true, "client-expired", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server, err := ServerConfig(zf("server.pem"), zf("server.key"), zf(tt.cafile), tt.require)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{CAFile: zf("ca.pem")}
			if tt.client != "" {
				o.CertFile, o.KeyFile = zf(tt.client+".pem"), zf(tt.client+".key")
			}
			if err := shake(t, listen(t, greet(server)), config(t, o, "localhost")); (err == nil) != tt.ok {
				t.Errorf("got %v, want success %v", err, tt.ok)
			}
		})
	}
}

func TestServerConfigRefuses(t *testing.T) {
	tests := []struct {
		name, cert, key, cafile string
		require                 bool
		want                    failure
	}{
		{"no certificate", "", "server.key", "", false, failure{"--cert: a TLS listener needs a certificate", []string{"add --cert FILE"}}},
		{"no key", "server.pem", "", "", false, failure{"--key: a TLS listener needs its certificate's private key", []string{"add --key FILE"}}},
		{"nothing to check clients against", "server.pem", "server.key", "", true,
			failure{"--cafile: to demand client certificates, a CA to check them against is needed", []string{"add --cafile FILE"}}},
		{"mismatch", "server.pem", "client.key", "", false, failure{
			`--key "client.key": is not the key of the certificate "localhost" in --cert "server.pem"`,
			[]string{"compare the output of `openssl x509 -noout -pubkey -in \"server.pem\"` and `openssl pkey -pubout -in \"client.key\"`"}}},
		{"CA missing", "server.pem", "server.key", "gone.pem", false, failure{`--cafile "gone.pem": no such file or directory`, nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := ServerConfig(zf(tt.cert), zf(tt.key), zf(tt.cafile), tt.require)
			if diff := cmp.Diff(tt.want, failed(t, err)); diff != "" || cfg != nil {
				t.Errorf("config %v\n%s", cfg, diff)
			}
		})
	}
}
