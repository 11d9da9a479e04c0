package file

// Private is private, for the tests.
var Private = private
