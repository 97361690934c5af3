// Prints what the AsyncAPI parser says of a document, as JSON: [{severity, code, message, path}].
// Arguments: the folder node_modules, the document. Severity 0 is an error, 1 a warning.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const [packages, document] = process.argv.slice(2);
const {Parser} = createRequire(`${packages}/`)('@asyncapi/parser');
const found = await new Parser().validate(readFileSync(document, 'utf8'));
const shown = found.map(({severity, code, message, path}) => ({severity, code, message, path}));
process.stdout.write(JSON.stringify(shown));
