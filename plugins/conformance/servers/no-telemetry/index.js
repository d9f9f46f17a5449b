// Azurite names this package and starts it only where it is asked to. It would be two thirds of what is installed.
module.exports = {};
