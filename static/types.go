package static

import (
	"mime"
	"path"
	"strings"
)

// typeOf returns the Content-Type for a file of that name. The package's own
// table precedes the system's, which is another on every machine; what neither
// knows is not guessed from the content.
func (s *settings) typeOf(name string) string {
	ext := strings.ToLower(path.Ext(name))
	media, ok := s.Types[ext]
	if !ok {
		media, ok = types[ext]
	}
	if !ok && ext != "" {
		media = mime.TypeByExtension(ext)
	}
	switch {
	case media == "":
		return "application/octet-stream"
	case strings.HasPrefix(media, "text/"):
		media, _, charset := strings.Cut(media, ";")
		if _, set := s.Types[ext]; charset && set {
			return s.Types[ext]
		}
		return media + s.charset
	}
	return media
}

// types are the media types that the web needs, as IANA has them.
var types = map[string]string{
	".html": "text/html", ".htm": "text/html", ".xhtml": "application/xhtml+xml",
	".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript",
	".json": "application/json", ".map": "application/json", ".jsonld": "application/ld+json",
	".ndjson": "application/x-ndjson", ".geojson": "application/geo+json",
	".webmanifest": "application/manifest+json", ".wasm": "application/wasm",
	".txt": "text/plain", ".log": "text/plain", ".md": "text/markdown", ".csv": "text/csv", ".tsv": "text/tab-separated-values",
	".xml": "text/xml", ".xsl": "text/xml", ".rss": "application/rss+xml", ".atom": "application/atom+xml",
	".ics": "text/calendar", ".vtt": "text/vtt", ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",

	".svg": "image/svg+xml", ".png": "image/png", ".apng": "image/apng", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".bmp": "image/bmp",
	".tif": "image/tiff", ".tiff": "image/tiff", ".jxl": "image/jxl", ".heic": "image/heic",

	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg",
	".wav": "audio/wav", ".flac": "audio/flac", ".aac": "audio/aac", ".mid": "audio/midi",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/quicktime",
	".mpeg": "video/mpeg", ".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".mkv": "video/matroska",

	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".eot": "application/vnd.ms-fontobject",

	".pdf": "application/pdf", ".epub": "application/epub+zip", ".rtf": "application/rtf",
	".zip": "application/zip", ".gz": "application/gzip", ".tgz": "application/gzip", ".zst": "application/zstd",
	".bz2": "application/x-bzip2", ".xz": "application/x-xz", ".7z": "application/x-7z-compressed", ".tar": "application/x-tar",
	".br": "application/octet-stream", ".bin": "application/octet-stream", ".jar": "application/java-archive",
	".parquet": "application/vnd.apache.parquet", ".safetensors": "application/octet-stream",
	".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt":  "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".gltf": "model/gltf+json", ".glb": "model/gltf-binary", ".torrent": "application/x-bittorrent",
}
