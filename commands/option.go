package commands

import (
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// option is one flag of a command: what the command line, the environment and the option files share. It is a cli.Flag.
// Reading a value never fails while the command line is parsed, because the flag library would print the value, which
// may be a secret; the first error is kept and reported by the command.
type option struct {
	name   string // whole words in kebab-case
	short  string // the single letter of mosquitto's clients, "" for none
	arg    string // placeholder of the value in the help, "" for a switch
	usage  string
	group  string   // heading in the help
	env    string   // environment variable, "" for MQ_ and the name, noVariable for none
	rivals []string // options that say the same in another way: one of a stronger source hides one of a weaker
	secret bool     // the value must not be shown
	set    func(string) error

	count  int
	source source
	err    error
}

// noVariable marks an option that no environment variable sets.
const noVariable = "-"

// source is where the value of an option came from; a stronger one is greater.
type source int

const (
	fromDefault source = iota
	fromFile
	fromEnvironment
	fromFlag
)

// String shows the option the way it is typed, for the help.
func (o *option) String() string {
	s := "--" + o.name
	if o.short != "" {
		s = "-" + o.short + ", " + s
	} else {
		s = "    " + s
	}
	if o.arg != "" {
		s += " " + o.arg
	}
	return s
}

// typed returns the option as a person types it most briefly.
func (o *option) typed() string { return "--" + o.name }

// Names implements cli.Flag. It leaves the short form out: the library would set the option a second time for it.
func (o *option) Names() []string { return []string{o.name} }

// IsSet implements cli.Flag.
func (o *option) IsSet() bool { return o.count > 0 }

// Apply implements cli.Flag.
func (o *option) Apply(set *flag.FlagSet) error {
	set.Var(optionValue{o}, o.name, o.usage)
	if o.short != "" {
		set.Var(optionValue{o}, o.short, o.usage)
	}
	return nil
}

// give sets the value from one source.
func (o *option) give(value string, from source) {
	o.count++
	o.source = from
	if err := o.set(value); err != nil && o.err == nil {
		o.err = &usageError{msg: o.refuse(value, err)}
	}
}

func (o *option) refuse(value string, err error) string {
	if o.secret {
		return fmt.Sprintf("%s: %v", o.typed(), err)
	}
	return fmt.Sprintf("%s %q: %v", o.typed(), value, err)
}

// variable returns the name of the option's environment variable.
func (o *option) variable() string {
	if o.env != "" {
		return o.env
	}
	return "MQ_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// optionValue is the flag.Value of an option.
type optionValue struct{ *option }

func (v optionValue) String() string { return "" }

func (v optionValue) Set(s string) error { v.give(s, fromFlag); return nil }

func (v optionValue) IsBoolFlag() bool { return v.option != nil && v.arg == "" }

// The setters below read the values of options.

func setString(p *string) func(string) error {
	return func(s string) error { *p = s; return nil }
}

func addString(p *[]string) func(string) error {
	return func(s string) error { *p = append(*p, s); return nil }
}

func setBool(p *bool) func(string) error {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("want true or false")
		}
		*p = b
		return nil
	}
}

// countBool counts how often a switch was given.
func countBool(p *int) func(string) error {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("want true or false")
		}
		if *p++; !b {
			*p = 0
		}
		return nil
	}
}

func setInt(p *int, low, high int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			if high == math.MaxInt {
				return fmt.Errorf("want a whole number from %d", low)
			}
			return fmt.Errorf("want a whole number from %d to %d", low, high)
		}
		*p = n
		return nil
	}
}

func setFloat(p *float64, low, high float64) func(string) error {
	return func(s string) error {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || f < low || f > high {
			if math.IsInf(high, 1) {
				return fmt.Errorf("want a number from %g", low)
			}
			return fmt.Errorf("want a number from %g to %g", low, high)
		}
		*p = f
		return nil
	}
}

// setDuration reads a duration: seconds as in mosquitto's clients, or a number with a unit.
func setDuration(p *time.Duration, low time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if f, ferr := strconv.ParseFloat(s, 64); ferr == nil && !math.IsNaN(f) && math.Abs(f) < 1e9 {
			d, err = time.Duration(f*float64(time.Second)), nil
		}
		if err != nil || d < low {
			if low > 0 {
				return fmt.Errorf("want seconds or a duration such as 1.5s, 200ms or 2m, at least %v", low)
			}
			return fmt.Errorf("want seconds or a duration such as 1.5s, 200ms or 2m")
		}
		*p = d
		return nil
	}
}

// setOneOf reads a word of a list.
func setOneOf(p *string, words ...string) func(string) error {
	return func(s string) error {
		for _, w := range words {
			if s == w {
				*p = s
				return nil
			}
		}
		return fmt.Errorf("want %s", wordList(words))
	}
}

func wordList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
