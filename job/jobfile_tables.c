/*
 * jobfile_tables.c: every key of a job file, once.
 */
#include "job/jobfile_tables.h"

#include "job/jobfile.h"

#define AT(type, member) .offset = offsetof(type, member)
#define ARRAY(type, member, count) AT(type, member), .count_offset = offsetof(type, count)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SECTION(id, path_text, title_text, type, mark_member)                                      \
    static const job_section id = {.path = (path_text),                                            \
                                   .title = (title_text),                                          \
                                   .keys = id##_keys,                                              \
                                   .key_count = COUNT_OF(id##_keys),                               \
                                   .bytes = sizeof(type),                                          \
                                   .mark_offset = offsetof(type, mark_member)}

static const job_key run_keys[] = {
    {"steps", JOB_COUNT, .default_text = "0", .max = 1e15, AT(rk_job_kernel, steps),
     .help = "How many steps to run; 0 runs until the kernels that have a number are done, or the "
             "job is stopped."},
};
/* It fills the kernel's structure and has no place of its own. */
static const job_section run = {.path = "kernels[].run",
                                .title = "How long the kernel runs.",
                                .keys = run_keys,
                                .key_count = COUNT_OF(run_keys),
                                .mark_offset = JOB_NO_MARK};

static const job_key output_keys[] = {
    {"field", JOB_TEXT, .required = true, AT(rk_job_output, field),
     .help = "The state field to write."},
    {"format", JOB_CHOICE, .choices = "raw|csv|png", .default_text = "raw",
     AT(rk_job_output, format),
     .help = "Its bytes as they are, a table with a row for each element, or a picture of two "
             "dimensions. In a picture index 0 is at the left and at the bottom, the last "
             "dimension runs to the right (across x: y), and the colours run from the smallest "
             "to the largest value, evenly about 0 where both signs occur."},
    {"at", JOB_NUMBERS, .max = 9e15, ARRAY(rk_job_output, steps, step_count),
     .help = "Numbers of steps, not times: written after each of them; when the kernel has "
             "stopped, if not given."},
    {"axis", JOB_CHOICE, .choices = "x|y|z", .default_text = "z", AT(rk_job_output, axis),
     .help = "The axis that the picture of a field of three dimensions is perpendicular to; x is "
             "the last dimension."},
    {"index", JOB_NUMBER, .max = 9e15, AT(rk_job_output, index),
     .help = "The cell on that axis; the middle one if not given."},
};
SECTION(output, "kernels[].outputs[]", "A field that is written to a file.", rk_job_output, mark);

static const job_key kernel_keys[] = {
    {"name", JOB_NAME, .required = true, AT(rk_job_kernel, name),
     .help = "What the kernel is called in this job."},
    {"module", JOB_TEXT, .required = true, AT(rk_job_kernel, module),
     .help = "The name of a built-in module ('rk kernels' lists them), or the path of a bundle "
             "made by 'rk build', relative to the job file; a path ends in '.rkm' or has a '/'."},
    {"blocks", JOB_COUNT, .default_text = "0", .max = 65535, AT(rk_job_kernel, blocks),
     .help = "Blocks of the grid; 0 leaves the choice to the runtime."},
    {"device", JOB_TEXT, AT(rk_job_kernel, device),
     .help = "Where it runs, instead of the job's device."},
    {"params", JOB_VALUES, ARRAY(rk_job_kernel, params, param_count),
     .help = "Values of the module's parameters: 'name: value'."},
    {"fields", JOB_VALUES, ARRAY(rk_job_kernel, fields, field_count),
     .help = "First contents of state fields: 'name: number' fills the field, 'name: path' reads a "
             "raw file."},
    {"variant", JOB_TEXT, AT(rk_job_kernel, variant),
     .help = "Precision variant, such as f64; the module's first one if not given."},
    {"seed", JOB_COUNT, .default_text = "0", .max = 9e15, AT(rk_job_kernel, seed),
     .help = "Of the kernel's random numbers."},
    {"run", JOB_SECTION, .section = &run, .help = "How long it runs."},
    {"outputs", JOB_LIST, .section = &output, ARRAY(rk_job_kernel, outputs, output_count),
     .help = "Fields that are written to files."},
    {"restart", JOB_CHOICE, .choices = "never|on-fault", .default_text = "never",
     AT(rk_job_kernel, restart),
     .help = "Whether the kernel is started anew, from step 0, when it panics or faults: at most "
             "3 times a minute."},
    {"routes", JOB_TEXTS, ARRAY(rk_job_kernel, routes, route_count),
     .help = "Names of the kernels that it sends messages to; the first is route 0 of rk_send."},
};
SECTION(kernel, "kernels[]", "A kernel of the job.", rk_job_kernel, mark);

static const job_key command_keys[] = {
    {"at", JOB_COUNT, .default_text = "0", .max = 1e15, AT(rk_job_command, step),
     .help = "The step of the kernel at which the command is sent."},
    {"kernel", JOB_TEXT, .required = true, AT(rk_job_command, kernel),
     .help = "Whom to send it to."},
    {"command", JOB_TEXT, .required = true, AT(rk_job_command, command),
     .help = "A command of the runtime or one of the module's own."},
    {"args", JOB_TEXTS, ARRAY(rk_job_command, args, arg_count), .help = "Its arguments."},
};
SECTION(command, "commands[]", "A command that is sent while the job runs.", rk_job_command, mark);

static const job_key grid_keys[] = {
    {"dx", JOB_NUMBER, RK_UNIT_LENGTH, .min = 1e-6, .max = 100, AT(rk_room_spec, grid.dx_m),
     .help = "Side of a cell. Give this or 'frequency'."},
    {"frequency", JOB_NUMBER, RK_UNIT_FREQUENCY, .min = 1, .max = 1e6,
     AT(rk_room_spec, grid.frequency_hz),
     .help = "Highest frequency to resolve; the cell side follows from it."},
    {"points_per_wavelength", JOB_NUMBER, .default_text = "8", .min = 2, .max = 1000,
     AT(rk_room_spec, grid.points_per_wavelength),
     .help = "Cells per wavelength at the highest frequency."},
    {"courant", JOB_NUMBER, .default_text = "0.99", .min = 1e-6, .max = 1,
     AT(rk_room_spec, grid.courant),
     .help = "Time step as a share of the largest stable one (c dt / dx = 1 / sqrt(3) in air)."},
    {"dt", JOB_NUMBER, RK_UNIT_TIME, AT(rk_room_spec, grid.dt_s),
     .help = "Time step, instead of 'courant'; an unstable one is refused."},
    {"memory", JOB_SIZE, RK_UNIT_BYTES, .default_text = "2 GiB", .min = 1048576, .max = 1e15,
     AT(rk_room_spec, grid.memory_limit_bytes), .help = "The most memory that the grid may take."},
};
SECTION(grid, "room.grid", "Cells and time step.", rk_room_spec, grid.mark);

static const job_key air_keys[] = {
    {"temperature", JOB_NUMBER, RK_UNIT_TEMPERATURE, .default_text = "20 degC", .min = -100,
     .max = 200, AT(rk_room_spec, air.temperature_c),
     .help = "From it follow sound speed and density at sea level."},
    {"sound_speed", JOB_NUMBER, RK_UNIT_SPEED, .min = 1, .max = 20000,
     AT(rk_room_spec, air.sound_speed_m_s), .help = "Instead of the one from the temperature."},
    {"density", JOB_NUMBER, RK_UNIT_DENSITY, .min = 1e-6, .max = 30000,
     AT(rk_room_spec, air.density_kg_m3), .help = "Instead of the one from the temperature."},
};
SECTION(air, "room.air", "What fills the room.", rk_room_spec, air.mark);

static const job_key geometry_keys[] = {
    {"shape", JOB_CHOICE, .choices = "box||polygon", .default_text = "box",
     AT(rk_room_spec, geometry.shape),
     .help = "A box of 'size', or a prism over a polygon of 'corners' with a 'height'."},
    {"size", JOB_POINT, RK_UNIT_LENGTH, .min = 1e-3, .max = 1e5, AT(rk_room_spec, geometry.size),
     .help = "Length (x, east), width (y, north) and height (z, up) of a box."},
    {"corners", JOB_PAIRS, RK_UNIT_LENGTH,
     ARRAY(rk_room_spec, geometry.corners, geometry.corner_count),
     .help = "The corners [x, y] of a polygon in the order of a walk along the walls; wall1 runs "
             "from the first to the second."},
    {"height", JOB_NUMBER, RK_UNIT_LENGTH, .min = 1e-3, .max = 1e5,
     AT(rk_room_spec, geometry.height_m), .help = "Height of a polygon room."},
    {"surfaces", JOB_WORDS, .required = true, ARRAY(rk_room_spec, surfaces, surface_count),
     .help = "Materials: 'floor', 'ceiling', 'walls', and single walls ('south', 'east', 'north', "
             "'west', or 'wall1' ...), which come before 'walls'."},
};
SECTION(geometry, "room.geometry", "The shape of the room.", rk_room_spec, geometry.mark);

static const job_key material_keys[] = {
    {"absorption", JOB_NUMBER, .max = 1, .min = 0, AT(rk_room_material, absorption),
     .help = "Random-incidence absorption coefficient of a surface; at most 0.951 is possible."},
    {"sound_speed", JOB_NUMBER, RK_UNIT_SPEED, .min = 1, .max = 20000,
     AT(rk_room_material, sound_speed_m_s),
     .help = "Of a material that carries sound; with 'density', instead of 'absorption'."},
    {"density", JOB_NUMBER, RK_UNIT_DENSITY, .min = 1e-6, .max = 30000,
     AT(rk_room_material, density_kg_m3), .help = "Of a material that carries sound."},
};
static const job_section material = {
    .path = "room.materials.NAME",
    .title = "A material of your own; a built-in one of the same name is replaced.",
    .keys = material_keys,
    .key_count = COUNT_OF(material_keys),
    .bytes = sizeof(rk_room_material),
    .mark_offset = offsetof(rk_room_material, mark),
    .name_offset = offsetof(rk_room_material, name)};

static const job_key furniture_keys[] = {
    {"name", JOB_NAME, .required = true, AT(rk_room_furniture, name),
     .help = "What sentences call it."},
    {"shape", JOB_CHOICE, .choices = "box|cylinder", .default_text = "box",
     AT(rk_room_furniture, shape),
     .help = "A box needs 'from' and 'to', an upright cylinder 'center', 'radius' and 'height'."},
    {"from", JOB_POINT, RK_UNIT_LENGTH, AT(rk_room_furniture, from),
     .help = "The low corner [x, y, z] of a box."},
    {"to", JOB_POINT, RK_UNIT_LENGTH, AT(rk_room_furniture, to), .help = "Its high corner."},
    {"center", JOB_POINT, RK_UNIT_LENGTH, AT(rk_room_furniture, center),
     .help = "The middle of a cylinder's foot."},
    {"radius", JOB_NUMBER, RK_UNIT_LENGTH, .min = 1e-6, .max = 1e5, AT(rk_room_furniture, radius_m),
     .help = "Of a cylinder."},
    {"height", JOB_NUMBER, RK_UNIT_LENGTH, .min = 1e-6, .max = 1e5, AT(rk_room_furniture, height_m),
     .help = "Of a cylinder."},
    {"material", JOB_TEXT, .required = true, AT(rk_room_furniture, material),
     .help = "One with an absorption makes it solid; one with sound speed and density lets sound "
             "through."},
};
SECTION(furniture, "room.furniture[]",
        "Something that stands in the room; it covers what came before it.", rk_room_furniture,
        mark);

static const job_key opening_keys[] = {
    {"name", JOB_NAME, .required = true, AT(rk_room_opening, name),
     .help = "What sentences call it."},
    {"wall", JOB_TEXT, .required = true, AT(rk_room_opening, wall),
     .help = "The wall that it is in."},
    {"from", JOB_PAIR, RK_UNIT_LENGTH, .required = true, AT(rk_room_opening, from),
     .help = "Low corner [along, up]: along the wall from its west or south end (a polygon's wall: "
             "from its first corner), up from the floor."},
    {"to", JOB_PAIR, RK_UNIT_LENGTH, .required = true, AT(rk_room_opening, to),
     .help = "High corner."},
    {"state", JOB_CHOICE, .choices = "open|closed", .default_text = "open",
     AT(rk_room_opening, state),
     .help = "Open, sound leaves through it; closed, it is a surface of its 'material'."},
    {"depth", JOB_NUMBER, RK_UNIT_LENGTH, .default_text = "0", .min = 0, .max = 100,
     AT(rk_room_opening, depth_m),
     .help = "Thickness of the wall: an open one is then a niche that is open at its far end."},
    {"material", JOB_TEXT, AT(rk_room_opening, material), .help = "What it is closed with."},
};
SECTION(opening, "room.openings[]", "A door or window.", rk_room_opening, mark);

static const job_key source_keys[] = {
    {"name", JOB_NAME, .required = true, AT(rk_room_source, name),
     .help = "What pictures and sentences call it."},
    {"position", JOB_POINT, RK_UNIT_LENGTH, .required = true, AT(rk_room_source, position),
     .help = "Where it is: [x, y, z]."},
    {"signal", JOB_CHOICE, .choices = "ricker|pulse|sweep|clap|speech|wav",
     .default_text = "ricker", AT(rk_room_source, signal),
     .help = "A Ricker wavelet, a Gaussian pulse, a sweep, a hand clap, speech-like sound, or a "
             "WAV file."},
    {"file", JOB_TEXT, AT(rk_room_source, path), .help = "The WAV file, relative to the job file."},
    {"rate", JOB_NUMBER, RK_UNIT_FREQUENCY, .min = 1, .max = 1e7, AT(rk_room_source, rate_hz),
     .help = "The sample rate that the WAV file must have; another one is refused."},
    {"channel", JOB_COUNT, .default_text = "1", .min = 1, .max = 256, AT(rk_room_source, channel),
     .help = "Channel of the WAV file."},
    {"frequency", JOB_NUMBER, RK_UNIT_FREQUENCY, .min = 1, .max = 1e6,
     AT(rk_room_source, frequency_hz),
     .help = "Peak of a Ricker wavelet (0.4 of the grid's limit if not given); upper end of a "
             "pulse or sweep (the grid's limit)."},
    {"start", JOB_NUMBER, RK_UNIT_TIME, .default_text = "0", .min = 0, .max = 1e6,
     AT(rk_room_source, start_s), .help = "When it begins."},
    {"length", JOB_NUMBER, RK_UNIT_TIME, .min = 1e-4, .max = 1e6, AT(rk_room_source, length_s),
     .help = "Of a sweep or speech (0.5 s if not given)."},
    {"level", JOB_NUMBER, RK_UNIT_PRESSURE, .default_text = "1 Pa", .min = 1e-9, .max = 1e9,
     AT(rk_room_source, level_pa), .help = "Peak sound pressure at 1 m in the free field."},
    {"highpass", JOB_NUMBER, RK_UNIT_FREQUENCY, .min = 0, .max = 1e6,
     AT(rk_room_source, highpass_hz),
     .help = "Removes what is lower; 0 removes nothing. 20 Hz if not given, but none for a Ricker "
             "wavelet, which has no mean."},
    {"seed", JOB_COUNT, .default_text = "1", .max = 1e15, AT(rk_room_source, seed),
     .help = "Another seed gives another clap or phrase."},
};
SECTION(source, "room.sources[]", "A point that sounds.", rk_room_source, mark);

static const job_key receiver_keys[] = {
    {"name", JOB_NAME, .required = true, AT(rk_room_receiver, name),
     .help = "Its files and columns are called so."},
    {"position", JOB_POINT, RK_UNIT_LENGTH, .required = true, AT(rk_room_receiver, position),
     .help = "Where it is: [x, y, z]."},
};
SECTION(receiver, "room.receivers[]", "A point that listens.", rk_room_receiver, mark);

static const job_key slice_keys[] = {
    {"name", JOB_NAME, .required = true, AT(rk_room_slice, name),
     .help = "Its files are called so."},
    {"axis", JOB_CHOICE, .choices = "x|y|z", .default_text = "z", AT(rk_room_slice, axis),
     .help = "The axis that it is perpendicular to."},
    {"position", JOB_NUMBER, RK_UNIT_LENGTH, .required = true, AT(rk_room_slice, position_m),
     .help = "Where on that axis."},
    {"times", JOB_NUMBERS, RK_UNIT_TIME, .required = true,
     ARRAY(rk_room_slice, times_s, time_count), .help = "When to draw it, rising."},
    {"show", JOB_CHOICE, .choices = "pressure|level|energy", .default_text = "pressure",
     AT(rk_room_slice, quantity),
     .help = "Pressure (blue to red), its level in dB, or its energy density (dark to bright)."},
    {"range", JOB_NUMBER, .min = 1e-12, .max = 1e12, AT(rk_room_slice, range),
     .help = "Upper end of the colours in Pa, dB or J/m3; from the data if not given."},
};
SECTION(slice, "room.slices[]", "Pictures of a plane through the room.", rk_room_slice, mark);

static const job_key report_keys[] = {
    {"wav_rate", JOB_NUMBER, RK_UNIT_FREQUENCY, .default_text = "44.1 kHz", .min = 1000, .max = 1e6,
     AT(rk_room_spec, report.wav_rate_hz), .help = "Sample rate of the receivers' WAV files."},
    {"bands", JOB_SWITCH, .default_text = "yes", AT(rk_room_spec, report.bands),
     .help = "Reverberation times in octave bands as well."},
    {"csv", JOB_SWITCH, .default_text = "yes", AT(rk_room_spec, report.csv),
     .help = "Pressures and decay curves as CSV as well."},
};
SECTION(report, "room.report", "What is written.", rk_room_spec, report.mark);

static const job_key room_keys[] = {
    {"duration", JOB_NUMBER, RK_UNIT_TIME, .required = true, .min = 1e-6, .max = 1e6,
     AT(rk_room_spec, duration_s), .help = "Simulated time."},
    {"grid", JOB_SECTION, .required = true, .section = &grid, .help = "Cells and time step."},
    {"air", JOB_SECTION, .section = &air, .help = "What fills the room."},
    {"geometry", JOB_SECTION, .required = true, .section = &geometry,
     .help = "Shape and surfaces."},
    {"materials", JOB_NAMED, .section = &material, ARRAY(rk_room_spec, materials, material_count),
     .help = "Materials of your own, by name."},
    {"furniture", JOB_LIST, .section = &furniture, ARRAY(rk_room_spec, furniture, furniture_count),
     .help = "What stands in the room."},
    {"openings", JOB_LIST, .section = &opening, ARRAY(rk_room_spec, openings, opening_count),
     .help = "Doors and windows."},
    {"sources", JOB_LIST, .required = true, .section = &source,
     ARRAY(rk_room_spec, sources, source_count), .help = "What sounds."},
    {"receivers", JOB_LIST, .section = &receiver, ARRAY(rk_room_spec, receivers, receiver_count),
     .help = "Who listens."},
    {"slices", JOB_LIST, .section = &slice, ARRAY(rk_room_spec, slices, slice_count),
     .help = "Pictures."},
    {"report", JOB_SECTION, .section = &report, .help = "What is written."},
};
SECTION(room, "room", "An acoustic problem: it becomes a wave3d kernel called 'room'.",
        rk_room_spec, mark);

static const job_key file_keys[] = {
    {"job", JOB_NAME, .required = true, AT(rk_job, name), .help = "The name of the job."},
    {"device", JOB_TEXT, .default_text = "cpu", AT(rk_job, device),
     .help = "Where its kernels run."},
    {"output", JOB_TEXT, AT(rk_job, output),
     .help = "Folder for the results, relative to the working directory; --output comes first."},
    {"kernels", JOB_LIST, .section = &kernel, ARRAY(rk_job, kernels, kernel_count),
     .help = "Kernels to launch."},
    {"commands", JOB_LIST, .section = &command, ARRAY(rk_job, commands, command_count),
     .help = "Commands to send, in this order."},
    {"room", JOB_OPTIONAL, .section = &room, AT(rk_job, room), .help = "An acoustic problem."},
};
SECTION(file, "", "The whole file. It has 'kernels', a 'room', or both.", rk_job, mark);

const job_section *const job_sections[] = {
    &file,     &kernel,   &run,       &output,  &command, &room,     &grid,  &air,
    &geometry, &material, &furniture, &opening, &source,  &receiver, &slice, &report,
};
const size_t job_section_count = COUNT_OF(job_sections);
