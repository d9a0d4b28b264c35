package commands

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// applyDefaults fills the options the command line did not give: from the environment, then from option files. The order
// of precedence is flag, environment, file, default. An option is also left alone when a stronger source gave a rival
// that says the same in another way: with --url typed, a host in a file counts for nothing.
func applyDefaults(env *Env, cmd *command, all []*command, file string) error {
	for _, o := range cmd.options {
		if o.env == noVariable {
			continue
		}
		if v := env.Getenv(o.variable()); v != "" && cmd.open(o, fromEnvironment) {
			if o.give(v, fromEnvironment); o.err != nil {
				o.err = usagef("environment variable %s: %v", o.variable(), o.err)
			}
		}
	}
	if file == "" {
		file = env.Getenv("MQ_OPTIONS_FILE")
	}
	if file != "" {
		return applyFile(cmd, nil, file, false)
	}
	config := env.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		if home := env.Getenv("HOME"); home != "" {
			config = filepath.Join(home, ".config")
		}
	}
	if config == "" {
		return nil
	}
	if err := applyFile(cmd, all, filepath.Join(config, "mq", "config"), true); err != nil {
		return err
	}
	if cmd.name == "pub" || cmd.name == "sub" {
		return applyFile(cmd, nil, filepath.Join(config, "mosquitto_"+cmd.name), true)
	}
	return nil
}

// open reports whether a source may set o: no stronger one has given o or one of its rivals.
func (cmd *command) open(o *option, from source) bool {
	if o.source > from {
		return false
	}
	for _, name := range o.rivals {
		if r := cmd.option(name); r != nil && r.source > from {
			return false
		}
	}
	return true
}

// applyFile reads an options file: a line is an option and its value, as on the command line but without quotes; the
// dashes may be left out; a line that begins with "#" is a comment; after a line "[pub]" options are for that command
// only. Options that belong to another command of all are passed over. A missing file is an error unless optional.
func applyFile(cmd *command, all []*command, name string, optional bool) error {
	f, err := os.Open(name)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usagef("options file %q: %v", name, reasonOf(err))
	}
	defer f.Close()
	before := make(map[*option]int)
	for _, o := range cmd.options {
		before[o] = o.count
	}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	section := cmd.name
	if cmd.local && len(all) > 0 {
		section = "" // the common lines are about connections to a broker
	}
	for line := 1; sc.Scan(); line++ {
		text := strings.TrimRight(sc.Text(), " \t\r")
		switch {
		case text == "" || text[0] == '#':
			continue
		case text[0] == '[':
			section = strings.Trim(text, "[]")
			if section == "" || len(all) > 0 && !slices.Contains(names(all), section) {
				return usagef("%s:%d: no command %q", name, line, section).hint("the commands are %s", wordList(names(all)))
			}
			continue
		case section != cmd.name:
			continue
		}
		if err := applyLine(cmd, all, text, before); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
	if err := sc.Err(); err != nil {
		return usagef("options file %q: %v", name, err)
	}
	return nil
}

func applyLine(cmd *command, all []*command, text string, before map[*option]int) error {
	word, value, _ := strings.Cut(text, " ")
	word = strings.TrimLeft(word, "-")
	o := findOption(cmd, word)
	if o == nil {
		for _, other := range all {
			if findOption(other, word) != nil {
				return nil
			}
		}
		e := usagef("unknown option %q", dashed(word))
		return e.hint("`mq %s --help` lists the options; leave the dashes out or write them as on the command line", cmd.name)
	}
	if before[o] > 0 || !cmd.open(o, fromFile) {
		return nil
	}
	if o.arg == "" && value == "" {
		value = "true"
	}
	o.give(strings.TrimLeft(value, " "), fromFile)
	return o.err
}

func findOption(cmd *command, word string) *option {
	i := slices.IndexFunc(cmd.options, func(o *option) bool { return o.name == word || o.short != "" && o.short == word })
	if i < 0 {
		return nil
	}
	return cmd.options[i]
}
