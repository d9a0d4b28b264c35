package commands

import (
	"strings"
	"unicode"
)

// checkText refuses what a broker may close the connection for (section 1.5.4 of 5.0, 1.5.3 of 3.1.1): control characters
// and non-characters in topics and names. They get there by accident, as the line end of a DOS file does.
func checkText(flag, s string) error {
	i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) || r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef })
	if i < 0 {
		return nil
	}
	r := []rune(s[i:])[0]
	e := usagef("--%s %q: holds the character %U, for which brokers close the connection", flag, cut(s), r)
	if r == '\r' {
		return e.hint("it is the end of a line of a DOS file: remove it, as with tr -d '\\r'")
	}
	return e.hint("leave it out")
}

// cut shortens what is quoted in an error.
func cut(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-3], "") + "..."
}
