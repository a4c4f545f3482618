package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

// nginxConf is what nginx does in one of the comparisons: what its configuration
// has on each level beside what all have.
type nginxConf struct{ main, http, server string }

// runNginx makes s nginx with that configuration. It runs as one process, since
// it is given one CPU.
func runNginx(s server, dir string, conf nginxConf) (server, error) {
	addr, err := freeAddress()
	if err != nil {
		return s, err
	}
	path := filepath.Join(dir, "nginx.conf")
	s.listens = addr
	s.args = []string{"-p", dir, "-e", "stderr", "-c", path}
	return s, os.WriteFile(path, []byte(strings.NewReplacer("DIR", dir, "LISTEN", addr, "MAIN", conf.main, "HTTP", conf.http, "SERVER", conf.server).Replace(`MAIN
daemon off;
master_process off;
worker_processes 1;
pid DIR/nginx.pid;
error_log stderr warn;
events { worker_connections 16384; }
http {
    access_log off;
    client_body_temp_path DIR/client;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    keepalive_requests 100000000;HTTP
    server {
        listen LISTEN backlog=4096;SERVER
    }
}
`)), 0o600)
}

// freeAddress returns a loopback address that nothing listened on just now:
// nginx cannot choose a port and report it.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
