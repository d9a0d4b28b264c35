package tlsconf

import (
	"errors"
	"fmt"
	"io/fs"
)

// The flags that error messages and hints speak of, spelled as the user types them.
const (
	flagCAFile     = "--cafile"
	flagCAPath     = "--capath"
	flagCert       = "--cert"
	flagKey        = "--key"
	flagOSCerts    = "--tls-use-os-certs"
	flagServerName = "--tls-server-name"
	flagALPN       = "--tls-alpn"
	flagVersion    = "--tls-version"
	flagCiphers    = "--ciphers"
	flagKeyLog     = "--tls-keylog"
	flagInsecure   = "--insecure"
)

// PassphraseFlag is the flag that error messages name as the way to give the passphrase of an encrypted key.
const PassphraseFlag = "--key-passphrase-file"

// Error is a TLS setting that cannot be used.
type Error struct {
	Flag   string   // as typed, such as "--cafile"
	Value  string   // what the flag was given, usually a file name; may be empty
	Reason string   // one lowercase phrase
	Fix    []string // what to type next, may be empty
	Err    error    // the cause, if there is one worth matching; not part of the text
}

// Error returns flag, value and reason on one line, without the fixes.
func (e *Error) Error() string {
	if e.Value == "" {
		return e.Flag + ": " + e.Reason
	}
	return fmt.Sprintf("%s %q: %s", e.Flag, e.Value, e.Reason)
}

// Hints returns what to type next.
func (e *Error) Hints() []string { return e.Fix }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// fileError reports a failed file operation without repeating the file name, which the flag's value already is.
func fileError(flag, file string, err error) *Error {
	var pe *fs.PathError
	reason := err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist): // Windows has a sentence for each of these
		reason = "no such file or directory"
	case errors.Is(err, fs.ErrPermission):
		reason = "permission denied"
	case errors.As(err, &pe):
		reason = pe.Err.Error()
	}
	return &Error{Flag: flag, Value: file, Reason: reason, Err: err}
}
