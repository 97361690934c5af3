package orderflow.contract;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/** Reads and writes the values of Kafka records. */
public final class Messages {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .disable(DeserializationFeature.ADJUST_DATES_TO_CONTEXT_TIME_ZONE)
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .build();

  private Messages() {}

  /** A mapper that keeps amounts exact and times with their offset. It is safe for threads. */
  public static JsonMapper mapper() {
    return MAPPER;
  }

  /**
   * Read the value of a record; members and words that are newer than this version are ignored.
   *
   * @param type the header ce_type
   * @return empty: this version of the contract does not know the type
   * @throws IOException the value is no JSON of this type
   */
  public static Optional<Object> read(String type, byte[] value) throws IOException {
    Class<?> known = Types.CLASSES.get(type);
    return known == null ? Optional.empty() : Optional.of(MAPPER.readValue(value, known));
  }

  /**
   * Read an event of orders, shipments or claims; one of a type that is newer than this version is
   * an {@link OtherEvent}.
   *
   * @param type the header ce_type
   * @throws IOException the value is no JSON of this type
   */
  public static Event readEvent(String type, byte[] value) throws IOException {
    Class<?> known = Types.CLASSES.get(type);
    Class<? extends Event> form = OtherEvent.class;
    if (known != null && Event.class.isAssignableFrom(known)) {
      form = known.asSubclass(Event.class);
    }
    return MAPPER.readValue(value, form);
  }

  /**
   * The value of a record: absent members say nothing.
   *
   * @throws IOException the message cannot be written
   */
  public static byte[] write(Object message) throws IOException {
    return MAPPER.writeValueAsBytes(message);
  }

  /** The id of the JSON Schema of a message type, as ce_dataschema has it. */
  public static String schemaId(String type) {
    return Types.SCHEMA_BASE + type + Types.SCHEMA_SUFFIX;
  }

  /**
   * The JSON Schema with an id, as ce_dataschema has it.
   *
   * @return empty: this version of the contract has no such schema
   * @throws IOException the jar cannot be read
   */
  public static Optional<byte[]> schema(String id) throws IOException {
    for (String type : Types.CLASSES.keySet()) {
      if (schemaId(type).equals(id)) {
        String name = "schemas/" + type + Types.SCHEMA_SUFFIX;
        try (InputStream found = Messages.class.getResourceAsStream(name)) {
          return found == null ? Optional.empty() : Optional.of(found.readAllBytes());
        }
      }
    }
    return Optional.empty();
  }
}
