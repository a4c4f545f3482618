package weir

// Tasks for the loop of a bodyReader. Each is the exchange under another name,
// so that posting one allocates nothing.
type (
	continueTask exchange
	resumeTask   exchange
)

func (t *continueTask) Run() { t.conn.Continue(&t.Exchange) }
func (t *resumeTask) Run()   { t.conn.ResumeBody(&t.Exchange) }
