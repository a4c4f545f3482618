package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"sync"

	"weir"
)

const (
	cookieName  = "drop"
	maxSessions = 100 // the oldest one ends for a new one
)

// A door lets those in who know the password. It is safe for concurrent use.
type door struct {
	password [sha256.Size]byte
	mu       sync.Mutex
	sessions []string
}

func newDoor(password string) *door { return &door{password: sha256.Sum256([]byte(password))} }

// signIn gives who knows the password a cookie. SameSite keeps requests that
// other sites' pages make from having it.
func (d *door) signIn(w *weir.Response, r *weir.Request) {
	form := readForm(w, r)
	if form == nil {
		return
	}
	said := sha256.Sum256([]byte(first(form.Value["password"])))
	if subtle.ConstantTimeCompare(said[:], d.password[:]) == 0 {
		w.Error(403, "wrong password")
		return
	}
	w.SetCookie(&http.Cookie{
		Name: cookieName, Value: d.open(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS() != nil,
	})
	w.Redirect(303, "/")
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// open returns a new session.
func (d *door) open() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sessions) == maxSessions {
		d.sessions = slices.Delete(d.sessions, 0, 1)
	}
	session := rand.Text()
	d.sessions = append(d.sessions, session)
	return session
}

// knows reports whether a request has the cookie of a session.
func (d *door) knows(r *weir.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.sessions, c.Value)
}

// onlyKnown is middleware: who is not known gets 401, before anything of a body
// has to arrive.
func (d *door) onlyKnown(next weir.Handler) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		if !d.knows(r) {
			w.Error(401, "sign in first")
			return
		}
		next.Serve(w, r)
	})
}
