package broker

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Users are the people and devices a broker knows, and what they may do. The zero value knows nobody.
type Users struct {
	byName   map[string]*user
	everyone []rule
}

type user struct {
	password string // plain, or a bcrypt hash
	hashed   bool
	rules    []rule
}

// FileError is a mistake in a users file.
type FileError struct {
	Name string
	Line int
	Err  error
}

// Error returns file:line and the mistake. It never contains a password.
func (e *FileError) Error() string { return fmt.Sprintf("%s:%d: %v", e.Name, e.Line, e.Err) }

// Unwrap returns the mistake.
func (e *FileError) Unwrap() error { return e.Err }

// Hints shows what a users file looks like.
func (e *FileError) Hints() []string {
	return []string{`a users file has lines like "user heater s3cret" followed by "read home/#", "write home/heater/%c" or "deny home/alarm"`}
}

// ParseUsers reads a users file; name is what errors call it. The file has one statement a line:
//
//	# a comment
//	read news/#              lines before the first user are for everyone, with or without a user name
//	user heater s3cret       the password as it is, "quoted" when it begins or ends with a space,
//	user phone $2y$10$...    or as a bcrypt hash, as "htpasswd -nB phone" prints it
//	write home/%u/#          the lines below a user are for that user: read, write, readwrite or deny, and a topic filter
//	deny home/phone/secret
//
// %u is replaced by the user name and %c by the client identifier. Who has one of + # / in there gets no leave from such
// a line; in a deny line the level matches everything then.
//
// A deny line outweighs all others. A user without lines of his own for reading and writing may do everything else, and
// so may clients without a user name when there are no such lines for everyone. All others may do what their own lines
// and those for everyone allow. A subscription is refused unless the whole of its filter may be read; of what it
// matches, denied topics are not delivered.
func ParseUsers(r io.Reader, name string) (*Users, error) {
	u := &Users{byName: map[string]*user{}}
	var current *user
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(sc.Text(), "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		next, err := u.statement(line, current)
		if err != nil {
			return nil, &FileError{Name: name, Line: n, Err: err}
		}
		current = next
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return u, nil
}

// statement adds one line and returns the user that the following lines are for.
func (u *Users) statement(line string, current *user) (*user, error) {
	word, rest := cutField(line)
	a, ok := accessWords[word]
	switch {
	case word == "user":
		return u.addUser(rest)
	case !ok && strings.Contains(word, ":"):
		return nil, errors.New(`want user, read, write, readwrite or deny; a line of a mosquitto password file is written "user NAME PASSWORD" here`)
	case !ok:
		return nil, fmt.Errorf("unknown word %q, want user, read, write, readwrite or deny", word)
	}
	ru := rule{access: a, filter: rest}
	if err := checkFilter(rest); err != nil {
		return nil, fmt.Errorf("%s %q: %w", word, rest, err)
	}
	if current == nil {
		u.everyone = append(u.everyone, ru)
	} else {
		current.rules = append(current.rules, ru)
	}
	return current, nil
}

func (u *Users) addUser(rest string) (*user, error) {
	name, password := cutField(rest)
	if name == "" || password == "" {
		return nil, errors.New("want user NAME PASSWORD")
	}
	if u.byName[name] != nil {
		return nil, fmt.Errorf("user %q is there already", name)
	}
	nu := &user{password: password}
	switch {
	case strings.HasPrefix(password, `"`):
		plain, err := strconv.Unquote(password)
		if err != nil {
			return nil, fmt.Errorf("user %q: the quoted password does not end, or has an unknown escape", name)
		}
		nu.password = plain
	case strings.HasPrefix(password, "$2a$"), strings.HasPrefix(password, "$2b$"), strings.HasPrefix(password, "$2y$"):
		if _, err := bcrypt.Cost([]byte(password)); err != nil {
			return nil, fmt.Errorf("user %q: the bcrypt hash is not complete", name)
		}
		nu.hashed = true
	case strings.HasPrefix(password, "$6$"), strings.HasPrefix(password, "$7$"):
		return nil, fmt.Errorf("user %q: hashes of mosquitto_passwd cannot be read, want a bcrypt hash or the password", name)
	}
	u.byName[name] = nu
	return nu, nil
}

// cutField splits s after its first word.
func cutField(s string) (word, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimSpace(s[i:])
}

func checkFilter(f string) error {
	if f == "" {
		return errors.New("want a topic filter")
	}
	levels := strings.Split(f, "/")
	for i, l := range levels {
		if l == "#" && i == len(levels)-1 || l == "+" {
			continue
		}
		if strings.ContainsAny(l, "+#") {
			return errors.New("+ and # must fill a level, and # must be the last one")
		}
	}
	return nil
}

// check reports whether name is known and password is right.
func (u *Users) check(name string, password []byte) bool {
	known, ok := u.byName[name]
	if !ok {
		return false
	}
	if known.hashed {
		return bcrypt.CompareHashAndPassword([]byte(known.password), password) == nil
	}
	want, got := sha256.Sum256([]byte(known.password)), sha256.Sum256(password)
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// allows reports whether a client without a user name may connect over network from the address remote.
func (a Anonymous) allows(network, remote string, u *Users) bool {
	switch a {
	case AnonymousAlways:
		return true
	case AnonymousAuto:
		return (u == nil || len(u.byName) == 0) && (network == "unix" || isLoopback(remote))
	}
	return false
}

func isLoopback(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	host, _, _ = strings.Cut(host, "%") // the zone of an IPv6 address
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
