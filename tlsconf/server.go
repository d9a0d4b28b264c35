package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
)

// ServerConfig returns the configuration of a listener with the certificate and key in two PEM files. With
// clientCAFile a client's certificate, if it sends one, must be signed by a CA in that file; requireClientCert turns
// away clients that send none. Failures are *Error.
func ServerConfig(certFile, keyFile, clientCAFile string, requireClientCert bool) (*tls.Config, error) {
	switch {
	case certFile == "":
		return nil, &Error{Flag: flagCert, Reason: "a TLS listener needs a certificate", Fix: []string{"add " + flagCert + " FILE"}}
	case keyFile == "":
		return nil, &Error{Flag: flagKey, Reason: "a TLS listener needs its certificate's private key", Fix: []string{"add " + flagKey + " FILE"}}
	case requireClientCert && clientCAFile == "":
		return nil, &Error{Flag: flagCAFile, Reason: "to demand client certificates, a CA to check them against is needed",
			Fix: []string{"add " + flagCAFile + " FILE"}}
	}
	pair, err := loadPair(certFile, keyFile, nil)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS12}
	if clientCAFile == "" {
		return cfg, nil
	}
	certs, err := readCerts(flagCAFile, clientCAFile)
	if err != nil {
		return nil, err
	}
	cfg.ClientCAs = x509.NewCertPool()
	addAll(cfg.ClientCAs, certs)
	cfg.ClientAuth = tls.VerifyClientCertIfGiven
	if requireClientCert {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}
