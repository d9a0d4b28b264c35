package commands

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// configCommand is a command with options of every kind.
type configValues struct {
	Name, Host, URL string
	List            []string
	On              bool
	Level           int
}

func configCommand(v *configValues) *command {
	return &command{name: "pub", options: []*option{
		{name: "name", short: "n", arg: "NAME", set: setString(&v.Name)},
		{name: "host", short: "h", arg: "HOST", set: setString(&v.Host), rivals: []string{"url"}},
		{name: "url", short: "L", arg: "URL", set: setString(&v.URL), rivals: []string{"host"}},
		{name: "list", arg: "X", set: addString(&v.List)},
		{name: "on", set: setBool(&v.On)},
		{name: "level", short: "v", set: countBool(&v.Level)},
		{name: "help", env: noVariable, set: setBool(new(bool))},
	}}
}

// applied returns what a command is set to by flags, environment and the user's file, in that order of strength.
func applied(t *testing.T, flags [][2]string, environment map[string]string, file string) (configValues, error) {
	t.Helper()
	var v configValues
	cmd := configCommand(&v)
	for _, f := range flags {
		cmd.option(f[0]).give(f[1], fromFlag)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "mq"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mq", "config"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	env := &Env{Getenv: func(k string) string {
		if k == "XDG_CONFIG_HOME" {
			return dir
		}
		return environment[k]
	}}
	err := applyDefaults(env, cmd, []*command{cmd, {name: "sub", options: []*option{{name: "count", short: "C", arg: "N"}}}}, "")
	for _, o := range cmd.options {
		if err == nil {
			err = o.err
		}
	}
	return v, err
}

func TestApplyDefaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags [][2]string
		env   map[string]string
		file  string
		want  configValues
	}{
		{name: "nothing"},
		{name: "file", file: "name from file \n", want: configValues{Name: "from file"}},
		{name: "dashes", file: "--name a\n-h b\n-on\n", want: configValues{Name: "a", Host: "b", On: true}},
		{name: "no line end, CRLF, comments", file: "# c\r\nname a\r\n\r\nhost b", want: configValues{Name: "a", Host: "b"}},
		{name: "values keep spaces inside", file: "name   two  words\n", want: configValues{Name: "two  words"}},
		{name: "empty value", file: "name\n", want: configValues{}},
		{name: "repeated in one file", file: "list a\nlist b\nv\nv\n", want: configValues{List: []string{"a", "b"}, Level: 2}},
		{name: "switch off", file: "on false\n", want: configValues{}},
		{name: "other commands' options", file: "count 3\nC 4\nname a\n", want: configValues{Name: "a"}},
		{name: "sections", file: "[sub]\nname no\nnonsense\n[pub]\nname yes\n", want: configValues{Name: "yes"}},
		{name: "environment over file", env: map[string]string{"MQ_NAME": "env", "MQ_HELP": "true"}, file: "name file\nhost h\n", want: configValues{Name: "env", Host: "h"}},
		{name: "flag over both", flags: [][2]string{{"name", "flag"}, {"list", "x"}}, env: map[string]string{"MQ_NAME": "env"}, file: "name file\nlist y\n", want: configValues{Name: "flag", List: []string{"x"}}},
		{name: "a typed host hides a url of the file", flags: [][2]string{{"host", "h"}}, file: "url mqtt://u\n", want: configValues{Host: "h"}},
		{name: "a typed url hides a host of the file and the environment", flags: [][2]string{{"url", "u"}}, env: map[string]string{"MQ_HOST": "e"}, file: "host h\n", want: configValues{URL: "u"}},
		{name: "the environment's url hides a host of the file", env: map[string]string{"MQ_URL": "u"}, file: "host h\n", want: configValues{URL: "u"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := applied(t, c.flags, c.env, c.file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyDefaultsErrors(t *testing.T) {
	for _, c := range []struct {
		file string
		env  map[string]string
		want string
	}{
		{file: "name a\nwombat\n", want: `/mq/config:2: unknown option "--wombat"`},
		{file: "-y\n", want: `/mq/config:1: unknown option "-y"`},
		{file: "[nobody]\n", want: `/mq/config:1: no command "nobody"`},
		{file: "\n\non maybe\n", want: `/mq/config:3: --on "maybe": want true or false`},
		{env: map[string]string{"MQ_ON": "maybe"}, want: `environment variable MQ_ON: --on "maybe": want true or false`},
	} {
		_, err := applied(t, nil, c.env, c.file)
		if err == nil || len(err.Error()) < len(c.want) || err.Error()[len(err.Error())-len(c.want):] != c.want || statusOf(err) != 2 {
			t.Errorf("%q: error %v, want %s with status 2", c.file, err, c.want)
		}
	}
}
