import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import orderflow.contract.Messages;

/** Reads lines with a type and a value from standard input; prints each value as it is written. */
public final class RoundTrip {
  public static void main(String[] arguments) throws IOException {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode message = Messages.mapper().readTree(line);
      byte[] value = message.get("value").asText().getBytes(StandardCharsets.UTF_8);
      Object read = Messages.read(message.get("type").asText(), value).orElseThrow();
      System.out.write(Messages.write(read));
      System.out.write('\n');
    }
    System.out.flush();
  }

  private RoundTrip() {}
}
