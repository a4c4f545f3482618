package compress

// Streams is how many coded streams there are.
var Streams = &streams
