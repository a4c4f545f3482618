package api

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rule says from where the methods of a type may be called. The first paragraph
// of the type's documentation states it, in words that match.
type rule struct{ name, words string }

var (
	anywhere = rule{"safe for concurrent use", `safe for concurrent use`}
	onLoop   = rule{"on the loop", `(must be (called|used)|for use) on`}
	handlers = rule{"the handler's goroutine", `handler's goroutine`}
	early    = rule{"before the server starts", `before the server starts`}
	called   = rule{"implemented by users, who learn where it is called", `(called|run|runs|serves requests) (on|there|where)\b|where the handler runs`}
	alone    = rule{"one goroutine at a time", `must be used on one goroutine at a time`}
	data     = rule{"a value: nothing but fields, and methods that only read", ``}
)

// A thread is the rule of one type. The methods in but have a rule of their own,
// and the documentation's first paragraph names them.
type thread struct {
	rule
	but []string
}

// threads has the rule of each exported type.
var threads = map[string]thread{
	"weir.Batch":           {alone, nil},
	"weir.BodyReceiver":    {called, nil},
	"weir.DrainReport":     {data, nil},
	"weir.Drainer":         {called, nil},
	"weir.EventOptions":    {data, nil},
	"weir.FormLimits":      {data, nil},
	"weir.Group":           {anywhere, nil},
	"weir.HalfClose":       {data, nil},
	"weir.Handler":         {called, nil},
	"weir.HandlerFunc":     {data, nil},
	"weir.Header":          {handlers, nil},
	"weir.Key":             {handlers, nil},
	"weir.Latency":         {data, nil},
	"weir.Limits":          {data, nil},
	"weir.LoopExchange":    {onLoop, []string{"Loop", "Keep"}},
	"weir.LoopHandler":     {called, nil},
	"weir.LoopHandlerFunc": {data, nil},
	"weir.LoopStats":       {data, nil},
	"weir.Middleware":      {called, nil},
	"weir.Mux":             {early, nil},
	"weir.PanicError":      {data, nil},
	"weir.Pipe":            {anywhere, []string{"Receive"}},
	"weir.Request":         {handlers, nil},
	"weir.Response":        {handlers, nil},
	"weir.ResponseStats":   {data, nil},
	"weir.Route":           {early, nil},
	"weir.Server":          {anywhere, nil},
	"weir.Source":          {called, nil},
	"weir.Stats":           {data, nil},
	"weir.Stream":          {anywhere, nil},
	"weir.SwapMux":         {anywhere, nil},
	"weir.TLS":             {data, nil},
	"weir.Timeouts":        {data, nil},
	"weir.Trace":           {called, nil},

	"weir/client.Call":          {onLoop, nil},
	"weir/client.Config":        {data, nil},
	"weir/client.Endpoint":      {data, nil},
	"weir/client.EndpointError": {data, nil},
	"weir/client.Error":         {data, nil},
	"weir/client.Field":         {data, nil},
	"weir/client.Origin":        {anywhere, []string{"Do"}},
	"weir/client.Pool":          {onLoop, nil},
	"weir/client.RawRequest":    {data, nil},
	"weir/client.Receiver":      {called, nil},
	"weir/client.Switcher":      {called, nil},
	"weir/client.Request":       {data, nil},

	"weir/hub.Broker":       {called, nil},
	"weir/hub.Config":       {data, nil},
	"weir/hub.Event":        {data, nil},
	"weir/hub.Format":       {data, nil},
	"weir/hub.Hub":          {anywhere, nil},
	"weir/hub.Limits":       {data, nil},
	"weir/hub.Log":          {anywhere, nil},
	"weir/hub.Options":      {data, nil},
	"weir/hub.Policy":       {data, nil},
	"weir/hub.Position":     {data, nil},
	"weir/hub.Stats":        {data, nil},
	"weir/hub.Subscription": {alone, []string{"Close"}},

	"weir/reactor.Config":      {data, nil},
	"weir/reactor.Conn":        {onLoop, connAnywhere},
	"weir/reactor.DialHandler": {called, nil},
	"weir/reactor.Dropper":     {called, nil},
	"weir/reactor.Event":       {data, nil},
	"weir/reactor.File":        {called, nil},
	"weir/reactor.FileSender":  {anywhere, nil},
	"weir/reactor.Handler":     {called, nil},
	"weir/reactor.Loop":        {onLoop, loopAnywhere},
	"weir/reactor.Poller":      {called, nil},
	"weir/reactor.Reactor":     {anywhere, nil},
	"weir/reactor.Rester":      {called, nil},
	"weir/reactor.Securer":     {called, nil},
	"weir/reactor.Sink":        {called, nil},
	"weir/reactor.Spares":      {called, nil},
	"weir/reactor.System":      {anywhere, nil},
	"weir/reactor.TLS":         {data, nil},
	"weir/reactor.TLSError":    {data, nil},
	"weir/reactor.Task":        {called, nil},
	"weir/reactor.TaskFunc":    {data, nil},
	"weir/reactor.Timer":       {onLoop, nil},

	"weir/static.Files":   {anywhere, nil},
	"weir/static.Options": {data, nil},

	"weir/ws.CloseError":     {data, nil},
	"weir/ws.Code":           {data, nil},
	"weir/ws.Conn":           {anywhere, []string{"Read"}},
	"weir/ws.DialOptions":    {data, nil},
	"weir/ws.Figures":        {data, nil},
	"weir/ws.Handler":        {called, nil},
	"weir/ws.HandshakeError": {data, nil},
	"weir/ws.Kind":           {data, nil},
	"weir/ws.OnMessage":      {data, nil},
	"weir/ws.Options":        {data, nil},
	"weir/ws.Policy":         {data, nil},
	"weir/ws.Room":           {anywhere, nil},
	"weir/ws.Stats":          {anywhere, nil},
}

// What is safe for concurrent use although its type's other methods must be
// called on the loop.
var (
	loopAnywhere = []string{"ID", "Post", "Logger"}
	connAnywhere = []string{
		"Loop", "RemoteAddr", "ListenAddr", "TLS", "SendsFiles",
		"Lock", "Acquire", "Unlock", "Err", "Pending", "Buffer", "Room", "Backlogged", "Wake", "Flush", "FlushWith", "SendFile", "Narrow",
	}
)

// ruled are the packages whose types have a rule.
var ruled = []string{"weir", "weir/client", "weir/hub", "weir/reactor", "weir/static", "weir/ws"}

// Each exported type has one rule, which is the first thing that its
// documentation says.
func TestThreadingRulesAreDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, pkg := range load(t, ruled) {
		for _, of := range documented(t, pkg.Path()) {
			name := pkg.Path() + "." + of.Name
			if !ast.IsExported(of.Name) {
				continue
			}
			seen[name] = true
			thread, ok := threads[name]
			if !ok {
				t.Errorf("%s has no threading rule: state one in the first paragraph of its documentation, and here", name)
				continue
			}
			first, _, _ := strings.Cut(of.Doc, "\n\n")
			first = strings.Join(strings.Fields(first), " ")
			if !regexp.MustCompile(thread.words).MatchString(first) {
				t.Errorf("%s: the first paragraph of the documentation does not say %q:\n%s", name, thread.name, first)
			}
			for _, method := range thread.but {
				if !regexp.MustCompile(`\b` + method + `\b`).MatchString(first) {
					t.Errorf("%s: the first paragraph of the documentation does not name %s:\n%s", name, method, first)
				}
			}
			if thread.rule == data {
				mustBeData(t, name, pkg.Scope().Lookup(of.Name).Type())
			}
		}
	}
	for name := range threads {
		if !seen[name] {
			t.Errorf("%s has a threading rule, but is no exported type", name)
		}
	}
}

// mustBeData reports methods that could change a value.
func mustBeData(t *testing.T, name string, of types.Type) {
	t.Helper()
	reads := []string{"Error", "Unwrap", "Is", "String"}
	values := types.NewMethodSet(of)
	for m := range types.NewMethodSet(types.NewPointer(of)).Methods() {
		if m.Obj().Exported() && values.Lookup(nil, m.Obj().Name()) == nil && !slices.Contains(reads, m.Obj().Name()) {
			t.Errorf("%s has the method %s, which may change it: it needs a rule", name, m.Obj().Name())
		}
	}
}

// documented returns the types of a package of this module.
func documented(t *testing.T, path string) []*doc.Type {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("../..", strings.TrimPrefix(path, "weir"), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	pkg, err := doc.NewFromFiles(files, parsed, path, doc.AllDecls)
	if err != nil {
		t.Fatal(err)
	}
	return pkg.Types
}
