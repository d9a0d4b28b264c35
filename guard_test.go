package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the import column of the layout in the design: what of ours each top-level package may use. A package
// below another in this list must not know the one above.
var mayImport = map[string][]string{
	".":           {"commands"},
	"commands":    {"completions", "format", "load", "tap", "connect", "client", "broker", "flow", "tlsconf", "packet"},
	"completions": {},
	"format":      {"load", "flow", "packet"},
	"load":        {"connect", "client", "packet"},
	"tap":         {"connect", "packet"},
	"connect":     {"client", "tlsconf", "packet"},
	"client":      {"packet"},
	"broker":      {"tlsconf"},
	"flow":        {"packet"},
	"tlsconf":     {},
	"packet":      {},
}

// onlyIn names packages of others that have one place.
var onlyIn = map[string]string{"github.com/urfave/cli/v2": "commands", "github.com/eclipse/paho.mqtt.golang": "connect", "github.com/mochi-mqtt/server/v2": "broker"}

// sources calls f with every Go file of the module that is no test; dir is "." or the slash-separated package path.
func sources(t *testing.T, f func(dir, name string, file *ast.File)) {
	t.Helper()
	n, set := 0, token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "scripts": // tools of the developers, no part of mq
			return filepath.SkipDir
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		n++
		f(filepath.ToSlash(filepath.Dir(path)), filepath.ToSlash(path), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 20 {
		t.Fatalf("only %d Go files found", n)
	}
}

func TestImportDirections(t *testing.T) {
	sources(t, func(dir, name string, file *ast.File) {
		top, _, _ := strings.Cut(dir, "/")
		allowed, known := mayImport[top]
		if !known {
			t.Errorf("%s: package %s has no row in the layout", name, top)
			return
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := badImport(dir, top, path, allowed); why != "" {
				t.Errorf("%s imports %s: %s", name, path, why)
			}
		}
	})
}

// badImport says what is wrong with a package of directory dir importing path.
func badImport(dir, top, path string, allowed []string) string {
	for pkg, place := range onlyIn {
		if (path == pkg || strings.HasPrefix(path, pkg+"/")) && top != place {
			return "only " + place + " may"
		}
	}
	if own, ok := strings.CutPrefix(path, "mq/"); ok {
		ownTop, _, _ := strings.Cut(own, "/")
		switch {
		case own == "tlsconf/zoo":
			return "only tests may"
		case ownTop == top || slices.Contains(allowed, ownTop):
			return ""
		}
		return top + " may import " + strings.Join(allowed, ", ")
	}
	if dir == "packet" && strings.Contains(path, ".") {
		return "packet uses the standard library only"
	}
	return ""
}

func TestOnlyMainExitsAndNobodyPrints(t *testing.T) {
	forbidden := map[string]string{
		"fmt.Print": "stdout", "fmt.Printf": "stdout", "fmt.Println": "stdout", "os.Exit": "exit", "log.Fatal": "exit",
		"log.Fatalf": "exit", "log.Fatalln": "exit", "log.Print": "stderr", "log.Printf": "stderr", "log.Println": "stderr",
		"os.Stdout": "stdout", "os.Stderr": "stderr", "os.Stdin": "stdin",
	}
	exits := 0
	sources(t, func(_, name string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				x, isName := sel.X.(*ast.Ident)
				if !isName {
					return true
				}
				call := x.Name + "." + sel.Sel.Name
				if name == "main.go" && call == "os.Exit" {
					exits++
				} else if what, bad := forbidden[call]; bad && name != "main.go" {
					t.Errorf("%s uses %s: %s belongs to main.go", name, call, what)
				}
			}
			if c, ok := n.(*ast.CallExpr); ok {
				if f, ok := c.Fun.(*ast.Ident); ok && (f.Name == "println" || f.Name == "print") {
					t.Errorf("%s uses %s", name, f.Name)
				}
			}
			return true
		})
	})
	if exits != 1 {
		t.Errorf("main.go calls os.Exit %d times, want once", exits)
	}
}

func TestScriptNames(t *testing.T) {
	files := scriptFiles(t)
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, f := range files {
		prefix, topic, ok := strings.Cut(strings.TrimSuffix(filepath.Base(f), ".txtar"), "_")
		if !ok || topic == "" || prefix == "" {
			t.Errorf("%s is not named COMMAND_TOPIC.txtar", f)
		}
	}
}
