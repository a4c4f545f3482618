package weir

// Tasks for the loop. Each is the thing itself under another name, so that
// posting one allocates nothing.
type (
	settleTask   conn
	overdueTask  conn
	continueTask exchange
	resumeTask   exchange
	serveTask    exchange
	abortTask    struct {
		conn  *conn
		ex    *exchange
		cause error
	}
)

func (t *settleTask) Run()  { (*conn)(t).settle() }
func (t *overdueTask) Run() { (*conn)(t).overdue() }

func (t *continueTask) Run() {
	ex := (*exchange)(t)
	if ex.conn.ex == ex {
		ex.conn.sendContinue()
	}
}

func (t *resumeTask) Run() {
	ex := (*exchange)(t)
	if ex.conn.ex == ex {
		ex.conn.resumeBody()
	}
}

// Run starts the handler of a request whose body is arriving, behind what of it
// the loop has read already: a body that is there whole is so for the handler.
func (t *serveTask) Run() { go (*exchange)(t).serve(t.req.route.handler) }

func (t *serveTask) Dropped() { t.Run() }

func (t *abortTask) Run() {
	if t.conn.ex == t.ex {
		t.conn.end(t.ex, t.cause)
	}
}
